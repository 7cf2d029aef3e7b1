/* Loads a forest and answers rows with it, to the bit as scikit-learn does. */
#include "forest.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define MAGIC "GLFOREST"
#define VERSION 1u
#define LEAF 0x40000000u
#define MISSING_RIGHT 0x80000000u
#define HEADER_BYTES sizeof(Header)
#define LANES 8

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
    if (header->trees < 1 || header->nodes < header->trees || header->nodes > LEAF
        || (header->nodes + header->trees) % 2)
        return "its numbers of trees and nodes contradict each other";
    /* No overflow: no count is above 2^32, no number of outputs above 2^16. */
    uint64_t expected = HEADER_BYTES + (uint64_t)header->values * header->outputs * 8 + (uint64_t)header->nodes * 16
                        + (uint64_t)header->trees * 4 + header->labels;
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
            *node = (Node){INFINITY, 0, 0, first + i, value};
            continue;
        }
        uint32_t feature = split & ~MISSING_RIGHT;
        if (feature >= forest->features) return "a split names a feature that does not exist";
        if (child <= i || child + 1 >= size) return "a split has children outside its tree";
        if (depth[i] >= FOREST_MAX_DEPTH) return "a tree is deeper than this kernel walks";
        *node = (Node){thresholds[first + i], (uint16_t)feature, split >= MISSING_RIGHT,
                       first + (uint32_t)child, 0};
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
    forest->root[forest->trees] = first;
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
    forest->start = header.start;
    forest->divisor = header.divisor;
    forest->value = copied(&at, (size_t)header.values * header.outputs * sizeof(double));
    forest->weight = copied(&at, nodes * sizeof(double));
    float *thresholds = copied(&at, nodes * sizeof(float));
    uint32_t *splits = copied(&at, nodes * sizeof(uint32_t));
    uint32_t *sizes = copied(&at, trees * sizeof(uint32_t));
    forest->node = malloc(nodes * sizeof(Node));
    forest->root = malloc((trees + 1) * sizeof(uint32_t));
    uint32_t *depth = malloc(nodes * sizeof(uint32_t));
    if (!forest->value || !forest->weight || !thresholds || !splits || !sizes || !forest->node
        || !forest->root || !depth)
        problem = "there is no memory for it";
    else
        problem = link_trees(forest, thresholds, splits, sizes, depth);
    if (!problem && forest_quadrature(forest) < 0) problem = "there is no memory for it";
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
    memset(forest, 0, sizeof *forest);
}

/* What follows is compiled anew for each constant given to it, so that nothing is decided per node. */
#define SPECIALIZED static inline __attribute__((always_inline)) void

/* Walk LANES paths to their leaves side by side, so that the processor waits for none of them alone.
 * Lane i reads the row `stride` floats after lane i - 1's: 0 for one row in several trees. */
SPECIALIZED walk(const Node *nodes, const float *row, size_t stride, int with_missing, uint32_t *at)
{
    uint32_t moved;
    do {
        moved = 0;
        for (int lane = 0; lane < LANES; lane++) {
            const Node *node = &nodes[at[lane]];
            float x = row[lane * stride + node->feature];
            uint32_t right = x > node->threshold;
            if (with_missing && x != x) right = node->missing_right;
            uint32_t next = node->next + right;
            moved |= next ^ at[lane];
            at[lane] = next;
        }
    } while (moved);
}

SPECIALIZED add(const Forest *forest, uint32_t leaf, uint32_t outputs, double *restrict out)
{
    const double *value = forest->value + (size_t)forest->node[leaf].value * outputs;
    for (uint32_t k = 0; k < outputs; k++) out[k] += value[k];
}

/* LANES rows at a time in one tree after another: a tree stays in the cache for all of them. */
SPECIALIZED answer_groups(const Forest *forest, const float *rows, size_t groups, int with_missing,
                          uint32_t outputs, double *out)
{
    for (uint32_t tree = 0; tree < forest->trees; tree++)
        for (size_t group = 0; group < groups; group++) {
            uint32_t at[LANES];
            for (int lane = 0; lane < LANES; lane++) at[lane] = forest->root[tree];
            walk(forest->node, rows + group * LANES * forest->features, forest->features,
                 with_missing, at);
            for (int lane = 0; lane < LANES; lane++)
                add(forest, at[lane], outputs, out + (group * LANES + lane) * outputs);
        }
}

/* One row in LANES trees at a time; what they say is added in the order of the trees. */
SPECIALIZED answer_row(const Forest *forest, const float *row, int with_missing, uint32_t outputs,
                       double *out)
{
    for (uint32_t tree = 0; tree < forest->trees; tree += LANES) {
        uint32_t at[LANES], count = forest->trees - tree;
        if (count > LANES) count = LANES;
        for (uint32_t lane = 0; lane < LANES; lane++)
            at[lane] = forest->root[tree + (lane < count ? lane : 0)];
        walk(forest->node, row, 0, with_missing, at);
        for (uint32_t lane = 0; lane < count; lane++) add(forest, at[lane], outputs, out);
    }
}

SPECIALIZED answer(const Forest *forest, const float *rows, size_t count, int with_missing,
                   uint32_t outputs, double *out)
{
    size_t groups = count / LANES;
    answer_groups(forest, rows, groups, with_missing, outputs, out);
    for (size_t row = groups * LANES; row < count; row++)
        answer_row(forest, rows + row * forest->features, with_missing, outputs,
                   out + row * outputs);
}

static int has_missing(const float *rows, size_t count)
{
    int found = 0;
    for (size_t i = 0; i < count; i++) found |= rows[i] != rows[i];
    return found;
}

void forest_predict(const Forest *forest, const float *rows, size_t count, double *out)
{
    uint32_t outputs = forest->outputs;
    for (size_t i = 0; i < count * outputs; i++) out[i] = forest->start;
    if (has_missing(rows, count * forest->features)) answer(forest, rows, count, 1, outputs, out);
    else if (outputs == 1) answer(forest, rows, count, 0, 1, out);
    else if (outputs == 2) answer(forest, rows, count, 0, 2, out);
    else if (outputs == 3) answer(forest, rows, count, 0, 3, out);
    else answer(forest, rows, count, 0, outputs, out);
    for (size_t i = 0; i < count * outputs; i++) out[i] /= forest->divisor;
}
