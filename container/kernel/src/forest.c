/* Loads a forest and answers rows with it, to the bit as scikit-learn does. */
#include "forest.h"

#include <stdlib.h>

#define MAGIC "GLFOREST"
#define VERSION 1u
#define LEAF 0x40000000u
#define MISSING_RIGHT 0x80000000u
#define HEADER_BYTES sizeof(Header)
#define LANES 8       /* rows walked side by side */
#define TREES 16      /* trees walked side by side for one row */
#define ASKED_ROWS 6  /* from so many rows on, small trees are asked instead */
#define USUAL_SHIFT 9 /* of forests of up to 256 features */

typedef struct {
    char magic[8];
    uint32_t version, flags, features, outputs, trees, nodes, values, labels;
    double start, divisor;
} Header;

static const char *check_header(const Header *header, size_t size)
{
    if (memcmp(header->magic, MAGIC, 8) != 0) return "it does not begin as a forest does";
    if (header->version != VERSION) return "it has another version of the format";
    if (header->features < 1 || header->features > FOREST_MAX_FEATURES)
        return "its number of features is out of range";
    if (header->outputs < 1 || header->outputs > FOREST_MAX_OUTPUTS)
        return "its number of outputs is out of range";
    if (header->values > FOREST_MAX_VALUES) return "it has more values than this kernel tells apart";
    if (header->trees < 1 || header->nodes < header->trees || header->nodes > LEAF
        || (header->nodes + header->trees) % 2)
        return "its numbers of trees and nodes contradict each other";
    /* No overflow: no count is above 2^32, no number of outputs above 2^16. */
    uint64_t expected = HEADER_BYTES + (uint64_t)header->values * header->outputs * 8
                        + (uint64_t)header->nodes * 16 + (uint64_t)header->trees * 4
                        + header->labels;
    return size == expected ? NULL : "its size is not what its header says";
}

/* Turn one tree's nodes in breadth-first order into nodes that know their children. */
static const char *link_tree(Forest *forest, uint32_t first, uint32_t size,
                             const float *thresholds, const uint32_t *splits, uint32_t *depth)
{
    uint64_t child = 1;
    depth[0] = 0;
    for (uint32_t i = 0; i < size; i++) {
        Node *node = &forest->node[first + i];
        uint32_t split = splits[first + i];
        if (split & LEAF) {
            uint32_t value = split & ~LEAF;
            if (value >= forest->values) return "a leaf names a value that does not exist";
            *node = (Node){FOREST_LEAF + value, 0};
            continue;
        }
        uint32_t feature = split & ~MISSING_RIGHT;
        if (feature >= forest->features) return "a split names a feature that does not exist";
        if (child <= i || child + 1 >= size) return "a split has children outside its tree";
        if (depth[i] >= FOREST_MAX_DEPTH) return "a tree is deeper than this kernel walks";
        uint32_t below = (uint32_t)child - i, shift = forest->shift;
        if (below > UINT32_MAX >> shift) return "a tree is wider than this kernel walks";
        node->key = forest_key(thresholds[first + i]);
        node->split = below << shift | split / MISSING_RIGHT << (shift - 1) | feature;
        depth[child] = depth[child + 1] = depth[i] + 1;
        if (depth[child] > forest->depth) forest->depth = depth[child];
        child += 2;
    }
    return child == size ? NULL : "a tree has nodes that no split leads to";
}

static const char *link_trees(Forest *forest, const float *thresholds, const uint32_t *splits,
                              const uint32_t *sizes, uint32_t *depth)
{
    uint32_t first = 0;
    for (uint32_t tree = 0; tree < forest->trees; tree++) {
        if (sizes[tree] < 1 || sizes[tree] > forest->nodes - first)
            return "the sizes of its trees contradict its number of nodes";
        forest->root[tree] = first;
        const char *problem =
            link_tree(forest, first, sizes[tree], thresholds, splits, depth);
        if (problem) return problem;
        first += sizes[tree];
    }
    forest->root[forest->trees] = forest->root[forest->trees + 1] = first;
    return first == forest->nodes ? NULL : "the sizes of its trees contradict its number of nodes";
}

static void *copied(const unsigned char **from, size_t bytes)
{
    void *copy = malloc(bytes);
    if (copy) memcpy(copy, *from, bytes);
    *from += bytes;
    return copy;
}

const char *forest_load(Forest *forest, const unsigned char *content, size_t size)
{
    Header header;
    memset(forest, 0, sizeof *forest);
    if (size < HEADER_BYTES) return "it is shorter than its header";
    memcpy(&header, content, HEADER_BYTES);
    const char *problem = check_header(&header, size);
    if (problem) return problem;

    size_t nodes = header.nodes, trees = header.trees;
    const unsigned char *at = content + HEADER_BYTES;
    forest->features = header.features;
    forest->outputs = header.outputs;
    forest->trees = header.trees;
    forest->nodes = header.nodes;
    forest->values = header.values;
    forest->is_answer = header.flags & 1u;
    forest->shift = USUAL_SHIFT;
    while ((header.features - 1) >> (forest->shift - 1)) forest->shift++;
    forest->start = header.start;
    forest->divisor = header.divisor;
    forest->value = copied(&at, (size_t)header.values * header.outputs * sizeof(double));
    forest->weight = copied(&at, nodes * sizeof(double));
    float *thresholds = copied(&at, nodes * sizeof(float));
    uint32_t *splits = copied(&at, nodes * sizeof(uint32_t));
    uint32_t *sizes = copied(&at, trees * sizeof(uint32_t));
    forest->node = malloc(nodes * sizeof(Node));
    forest->root = malloc((trees + 2) * sizeof(uint32_t));
    uint32_t *depth = malloc(nodes * sizeof(uint32_t));
    if (!forest->value || !forest->weight || !thresholds || !splits || !sizes || !forest->node
        || !forest->root || !depth)
        problem = "there is no memory for it";
    else
        problem = link_trees(forest, thresholds, splits, sizes, depth);
    if (!problem && (forest_quadrature(forest) < 0 || forest_small(forest, thresholds) < 0))
        problem = "there is no memory for it";
    free(thresholds);
    free(splits);
    free(sizes);
    free(depth);
    if (problem) forest_free(forest);
    return problem;
}

void forest_free(Forest *forest)
{
    free(forest->node);
    free(forest->root);
    free(forest->value);
    free(forest->weight);
    free(forest->point);
    free(forest->share);
    free(forest->strike);
    free(forest->leaf);
    memset(forest, 0, sizeof *forest);
}

/* Walk paths to their leaves side by side, so that the processor waits for none of them alone.
 * Lane i reads the row `stride` keys after lane i - 1's: 0 for one row in several trees. */
SPECIALIZED walk(const Node *node, const uint32_t *row, size_t stride, uint32_t lanes,
                 uint32_t shift, int with_missing, uint32_t *at)
{
    uint32_t moved;
    do {
        moved = 0;
        for (uint32_t lane = 0; lane < lanes; lane++) {
            Node now = node[at[lane]];
            uint32_t key = row[lane * stride + node_feature(now, shift)];
            uint32_t below = node_below(now, shift);
            at[lane] += below + (with_missing ? node_is_right(now, key, shift) : key > now.key);
            moved |= below;
        }
    } while (moved);
}

/* LANES rows at a time in one tree after another: a tree stays in the cache for all of them. */
SPECIALIZED walk_groups(const Forest *forest, const uint32_t *keys, size_t count, uint32_t shift,
                        int with_missing, uint32_t outputs, double *out)
{
    for (uint32_t tree = 0; tree < forest->trees; tree++) {
        /* The next tree's nodes come while this one is walked. */
        for (uint32_t i = forest->root[tree + 1]; i < forest->root[tree + 2]; i += 64 / sizeof(Node))
            __builtin_prefetch(&forest->node[i]);
        for (size_t group = 0; group < count; group += LANES) {
            uint32_t at[LANES];
            for (size_t lane = 0; lane < LANES; lane++) at[lane] = forest->root[tree];
            walk(forest->node, keys + group * forest->features, forest->features, LANES, shift,
                 with_missing, at);
            for (size_t lane = 0; lane < LANES && group + lane < count; lane++)
                add_value(forest, forest->node[at[lane]].key - FOREST_LEAF, outputs,
                          out + (group + lane) * outputs);
        }
    }
}

/* One row in TREES trees at a time; what they say is added in the order of the trees. */
SPECIALIZED walk_row(const Forest *forest, const uint32_t *row, uint32_t shift, int with_missing,
                     uint32_t outputs, double *out)
{
    for (uint32_t tree = 0; tree < forest->trees; tree += TREES) {
        uint32_t at[TREES], used = forest->trees - tree;
        if (used > TREES) used = TREES;
        for (uint32_t lane = 0; lane < TREES; lane++)
            at[lane] = forest->root[tree + (lane < used ? lane : 0)];
        walk(forest->node, row, 0, TREES, shift, with_missing, at);
        for (uint32_t lane = 0; lane < used; lane++)
            add_value(forest, forest->node[at[lane]].key - FOREST_LEAF, outputs, out);
    }
}

SPECIALIZED answer(const Forest *forest, const uint32_t *keys, size_t count, uint32_t shift,
                   int with_missing, uint32_t outputs, double *out)
{
    if (count == 1) walk_row(forest, keys, shift, with_missing, outputs, out);
    else walk_groups(forest, keys, count, shift, with_missing, outputs, out);
}

static void answer_keys(const Forest *forest, const uint32_t *keys, size_t count, int with_missing,
                        double *out)
{
    uint32_t outputs = forest->outputs, shift = forest->shift;
    if (with_missing) answer(forest, keys, count, shift, 1, outputs, out);
    else if (shift != USUAL_SHIFT) answer(forest, keys, count, shift, 0, outputs, out);
    else if (outputs == 1) answer(forest, keys, count, USUAL_SHIFT, 0, 1, out);
    else if (outputs == 2) answer(forest, keys, count, USUAL_SHIFT, 0, 2, out);
    else if (outputs == 3) answer(forest, keys, count, USUAL_SHIFT, 0, 3, out);
    else answer(forest, keys, count, USUAL_SHIFT, 0, outputs, out);
}

static int has_missing(const float *rows, size_t count)
{
    int found = 0;
    for (size_t i = 0; i < count; i++) found |= rows[i] != rows[i];
    return found;
}

int forest_predict(const Forest *forest, const float *rows, size_t count, double *out)
{
    size_t outputs = forest->outputs, numbers = count * forest->features;
    for (size_t i = 0; i < count * outputs; i++) out[i] = forest->start;
    if (forest->strike && count >= ASKED_ROWS && !has_missing(rows, numbers))
        forest_ask(forest, rows, count, out);
    else {
        /* Whole groups are walked; the rows that fill up the last one are 0. */
        uint32_t *keys = calloc(count / LANES + 1, LANES * forest->features * sizeof(uint32_t));
        if (!keys) return -1;
        int with_missing = 0;
        /* Decided by what is walked: who owns the rows could write to them meanwhile. */
        for (size_t i = 0; i < numbers; i++) {
            keys[i] = forest_key(rows[i]);
            with_missing |= keys[i] == FOREST_MISSING;
        }
        answer_keys(forest, keys, count, with_missing, out);
        free(keys);
    }
    for (size_t i = 0; i < count * outputs; i++) out[i] /= forest->divisor;
    return 0;
}
