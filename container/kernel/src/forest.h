/* A forest as it is walked, and what can be asked of it. Nothing here knows Python.
 *
 * Layout of forest.bin, little-endian, written by automation/gate/forest.py:
 *   magic "GLFOREST", u32 version, flags, features, outputs, trees, nodes, values, labels,
 *   f64 start, divisor
 *   f64 values[values][outputs]   what a leaf adds, each once
 *   f64 weights[nodes]            training weight that passed each node, for explanations
 *   f32 thresholds[nodes]         the greatest float32 that is not above scikit-learn's float64 one
 *   u32 splits[nodes]             feature, plus MISSING_RIGHT; for a leaf LEAF plus its value's index
 *   u32 sizes[trees]              nodes of each tree
 *   u8 json[labels]               the estimator's own classes; not read here
 * The nodes of a tree stand in breadth-first order, so the children of its k-th split (from 0) are its
 * nodes 2k+1 and 2k+2: there is no child index in the file that could point anywhere. */
#ifndef GREENLIGHT_FOREST_H
#define GREENLIGHT_FOREST_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define FOREST_MAX_FEATURES 65535u
#define FOREST_MAX_OUTPUTS 65535u
#define FOREST_MAX_VALUES 0x800000u
#define FOREST_MAX_DEPTH 500u
#define FOREST_LEAF 0xff800000u /* the key of +infinity */
#define FOREST_MISSING 0xffffffffu

/* Eight bytes, as forests are larger than the processor's nearest caches. The `shift` lower bits of
 * `split` are the feature and, above it, whether a missing value goes right; the others say how many
 * nodes further on the left child stands, which the right one follows. */
typedef struct {
    uint32_t key;   /* go right where the value's key is above it; a leaf: FOREST_LEAF + its value */
    uint32_t split; /* 0 in a leaf */
} Node;

/* A split of a small tree; see small.c. */
typedef struct {
    float threshold;
    uint32_t feature;
    int32_t left; /* a bit for each leaf on its left */
} Strike;

typedef struct {
    uint32_t features, outputs, trees, nodes, values, depth, points, is_answer, shift;
    double start, divisor; /* an answer is (start + leaf values, tree by tree) / divisor */
    Node *node;
    uint32_t *root; /* [trees + 2], the last two past the end */
    double *value;  /* [values][outputs] */
    double *weight; /* [nodes] */
    double *point, *share; /* [points] Gauss-Legendre rule on 0..1 for explanations; see shap.c */
    Strike *strike;    /* of each tree in turn; NULL where not all trees are small */
    uint32_t *leaf;        /* which value each leaf adds, from left to right, of each tree in turn */
} Forest;

/* Copy and check a file's content. Gives NULL, or what is wrong with it; then there is no forest. */
const char *forest_load(Forest *forest, const unsigned char *content, size_t size);
void forest_free(Forest *forest);

/* Answer rows [count][features] into out [count][outputs]. Gives -1 where there is no memory. */
int forest_predict(const Forest *forest, const float *rows, size_t count, double *out);

/* Explain rows into out [count][features + 1][outputs], the last feature being the base value.
 * Gives -1 where there is no memory. */
int forest_explain(const Forest *forest, const float *rows, size_t count, double *out);

/* Parts of loading and answering that have a file of their own. */
int forest_quadrature(Forest *forest);
int forest_small(Forest *forest, const float *thresholds);
void forest_ask(const Forest *forest, const float *rows, size_t count, double *out);

/* An integer for each float, in the same order: comparing those takes an instruction less. */
static inline uint32_t forest_key(float x)
{
    uint32_t bits;
    if (x != x) return FOREST_MISSING;
    x += 0.0f; /* -0.0 becomes 0.0, which it equals */
    memcpy(&bits, &x, sizeof bits);
    return bits >> 31 ? ~bits : bits | 0x80000000u;
}

static inline uint32_t node_feature(Node node, uint32_t shift)
{
    return node.split & ((1u << (shift - 1)) - 1);
}

/* How many nodes further on the left child stands; 0: this is a leaf. */
static inline uint32_t node_below(Node node, uint32_t shift) { return node.split >> shift; }

static inline uint32_t node_is_right(Node node, uint32_t key, uint32_t shift)
{
    return key == FOREST_MISSING ? node.split >> (shift - 1) & 1 : key > node.key;
}

static inline void add_value(const Forest *forest, uint32_t value, uint32_t outputs,
                             double *restrict out)
{
    const double *from = forest->value + (size_t)value * outputs;
    for (uint32_t k = 0; k < outputs; k++) out[k] += from[k];
}

/* A function that is compiled anew for each constant given to it, so that it decides nothing again. */
#define SPECIALIZED static inline __attribute__((always_inline)) void

#endif
