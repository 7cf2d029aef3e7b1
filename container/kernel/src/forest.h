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

#define FOREST_MAX_FEATURES 65535u
#define FOREST_MAX_OUTPUTS 65535u
#define FOREST_MAX_DEPTH 500u

typedef struct {
    float threshold;        /* go right where the value is above it; +infinity in a leaf */
    uint16_t feature;       /* 0 in a leaf */
    uint16_t missing_right; /* 1 where NaN goes right; 0 in a leaf */
    uint32_t next;          /* the left child, the right one follows it; a leaf's is itself */
    uint32_t value;         /* which value a leaf adds */
} Node;

typedef struct {
    uint32_t features, outputs, trees, nodes, values, depth, points, is_answer;
    double start, divisor; /* an answer is (start + leaf values, tree by tree) / divisor */
    Node *node;
    uint32_t *root;  /* trees + 1, the last one past the end */
    double *value;   /* [values][outputs] */
    double *weight;  /* [nodes] */
    double *point, *share; /* [points] Gauss-Legendre rule on 0..1 for explanations; see shap.c */
} Forest;

/* Copy and check a file's content. Gives NULL, or what is wrong with it; then there is no forest. */
const char *forest_load(Forest *forest, const unsigned char *content, size_t size);
void forest_free(Forest *forest);

/* Answer rows [count][features] into out [count][outputs]. */
void forest_predict(const Forest *forest, const float *rows, size_t count, double *out);

/* Explain rows into out [count][features + 1][outputs], the last feature being the base value.
 * Gives -1 where there is no memory. */
int forest_explain(const Forest *forest, const float *rows, size_t count, double *out);
int forest_quadrature(Forest *forest);

#endif
