/* Answers forests of small trees without walking them: every split of a tree is asked, for LANES rows
 * in a few instructions, and where it leads right it strikes out the leaves on its left. The first
 * leaf that is left over is the row's (QuickScorer, Lucchese et al. 2015). No branch depends on the
 * data, so nothing is guessed wrongly. */
#include "forest.h"

#include <stdlib.h>

#define LANES 16
#define QUADS (LANES / 4)
#define MAX_LEAVES 32
#define MAX_NODES (2 * MAX_LEAVES - 1)
#define MAX_FEATURES 256u /* their values have to stay in the nearest cache */

/* What the compiler turns into one register of any 64-bit processor, or two. */
typedef float Floats __attribute__((vector_size(16)));
typedef int32_t Bits __attribute__((vector_size(16)));

/* Number the leaves of one tree from left to right, and give its splits the leaves on their left. */
static void link_strikes(const Forest *forest, const Node *node, const float *thresholds,
                           uint32_t size, Strike *strike, uint32_t *leaf)
{
    uint32_t leaves[MAX_NODES], first[MAX_NODES];
    for (uint32_t i = size; i-- > 0;) {
        uint32_t below = node_below(node[i], forest->shift);
        leaves[i] = below ? leaves[i + below] + leaves[i + below + 1] : 1;
    }
    first[0] = 0;
    for (uint32_t i = 0; i < size; i++) {
        uint32_t below = node_below(node[i], forest->shift);
        if (!below) {
            leaf[first[i]] = node[i].key - FOREST_LEAF;
            continue;
        }
        uint32_t left = ((1u << leaves[i + below]) - 1) << first[i];
        *strike++ = (Strike){thresholds[i], node_feature(node[i], forest->shift), (int32_t)left};
        first[i + below] = first[i];
        first[i + below + 1] = first[i] + leaves[i + below];
    }
}

/* Prepare the splits of a forest whose trees are all small. Gives -1 where there is no memory. */
int forest_small(Forest *forest, const float *thresholds)
{
    const uint32_t *root = forest->root;
    for (uint32_t tree = 0; tree < forest->trees; tree++)
        if (root[tree + 1] - root[tree] > MAX_NODES || forest->features > MAX_FEATURES) return 0;
    forest->strike = malloc(forest->nodes * sizeof(Strike));
    forest->leaf = malloc(forest->nodes * sizeof(uint32_t));
    if (!forest->strike || !forest->leaf) return -1;
    for (uint32_t tree = 0; tree < forest->trees; tree++)
        /* A tree of n nodes has (n - 1) / 2 splits and (n + 1) / 2 leaves. */
        link_strikes(forest, forest->node + root[tree], thresholds + root[tree],
                       root[tree + 1] - root[tree], forest->strike + (root[tree] - tree) / 2,
                       forest->leaf + (root[tree] + tree) / 2);
    return 0;
}

typedef union {
    Floats quads[MAX_FEATURES][QUADS];
    float numbers[MAX_FEATURES][LANES];
} Values;

/* Ask the splits of one tree; `struck` are the leaves that are not the row's, lane by lane. */
SPECIALIZED ask(const Strike *strike, uint32_t splits, const Values *values, uint32_t *struck)
{
    Bits quads[QUADS] = {{0}};
    for (uint32_t i = 0; i < splits; i++)
        for (int quad = 0; quad < QUADS; quad++)
            quads[quad] |= (values->quads[strike[i].feature][quad] > strike[i].threshold)
                           & strike[i].left;
    memcpy(struck, quads, sizeof quads);
}

SPECIALIZED ask_all(const Forest *forest, const float *rows, size_t count, uint32_t outputs,
                    double *out)
{
    Values values;
    for (size_t group = 0; group < count; group += LANES) {
        size_t used = count - group < LANES ? count - group : LANES;
        for (size_t lane = 0; lane < LANES; lane++)
            for (uint32_t i = 0; i < forest->features; i++)
                values.numbers[i][lane] =
                    rows[(group + (lane < used ? lane : 0)) * forest->features + i];
        const Strike *strike = forest->strike;
        const uint32_t *leaf = forest->leaf;
        for (uint32_t tree = 0; tree < forest->trees; tree++) {
            uint32_t struck[LANES], splits = (forest->root[tree + 1] - forest->root[tree]) / 2;
            ask(strike, splits, &values, struck);
            for (size_t lane = 0; lane < used; lane++)
                add_value(forest, leaf[__builtin_ctz(~struck[lane])], outputs,
                          out + (group + lane) * outputs);
            strike += splits;
            leaf += splits + 1;
        }
    }
}

void forest_ask(const Forest *forest, const float *rows, size_t count, double *out)
{
    if (forest->outputs == 1) ask_all(forest, rows, count, 1, out);
    else if (forest->outputs == 2) ask_all(forest, rows, count, 2, out);
    else if (forest->outputs == 3) ask_all(forest, rows, count, 3, out);
    else ask_all(forest, rows, count, forest->outputs, out);
}
