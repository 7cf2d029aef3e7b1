/* SHAP values of a forest, path-dependent: what shap.TreeExplainer gives without background data.
 *
 * A leaf adds its value times the product, over the features on its path, of a factor: o, which is 1
 * where the row's own value leads to the leaf and else 0, or z, the share of the training weight that
 * went this way, where the feature is left open. The Shapley value of a feature in such a product is
 *     value * (o - z) * integral over t in 0..1 of the other features' t * o + (1 - t) * z
 * (Owen's multilinear extension). The integrand is a polynomial of a degree below the tree's depth, so
 * a Gauss-Legendre rule of depth / 2 points is exact, and every term of it is positive: nothing
 * cancels. One descent multiplies the factors, and the way back sums each subtree once for the edge
 * above it (as Linear TreeSHAP does) instead of once for each feature on each path. */
#include "forest.h"

#include <math.h>
#include <stdlib.h>

#define MAX_NUMBERS ((size_t)1 << 26) /* half a gibibyte; only absurd forests need more */

typedef struct {
    const Forest *forest;
    const float *row;
    double *phi;   /* [features + 1][outputs] */
    double *ones;  /* [features] o on the path to the node being looked at, then z likewise */
    double *zeros;
    double *paths; /* [levels][points] product of the factors */
    double *edges; /* [levels][points] what a subtree's sum counts for the feature above it */
    double *sums;  /* [levels][outputs][points] of the subtree: values times products */
    double root_weight;
} Explanation;

int forest_quadrature(Forest *forest)
{
    uint32_t depth = forest->depth < forest->features ? forest->depth : forest->features;
    uint32_t points = depth < 2 ? 1 : (depth + 1) / 2;
    forest->points = points;
    forest->point = malloc(points * sizeof(double));
    forest->share = malloc(points * sizeof(double));
    if (!forest->point || !forest->share) return -1;
    for (uint32_t i = 0; i < points; i++) {
        /* Newton's method on the Legendre polynomial, from Tricomi's first guess. */
        double x = cos(3.141592653589793 * (i + 0.75) / (points + 0.5)), slope = 1;
        for (int round = 0; round < 20; round++) {
            double before = 1, value = x;
            for (uint32_t k = 2; k <= points; k++) {
                double next = ((2 * k - 1) * x * value - (k - 1) * before) / k;
                before = value;
                value = next;
            }
            slope = points * (x * value - before) / (x * x - 1);
            x -= value / slope;
        }
        forest->point[i] = (x + 1) / 2;
        forest->share[i] = 1 / ((1 - x * x) * slope * slope);
    }
    return 0;
}

static void sum_leaf(Explanation *self, uint32_t node, uint32_t level)
{
    const Forest *forest = self->forest;
    uint32_t points = forest->points, outputs = forest->outputs;
    const double *value = forest->value + (size_t)(forest->node[node].key - FOREST_LEAF) * outputs;
    const double *path = self->paths + (size_t)level * points;
    double *sum = self->sums + (size_t)level * outputs * points;
    double *base = self->phi + (size_t)forest->features * outputs;
    double share = forest->weight[node] / self->root_weight;
    for (uint32_t k = 0; k < outputs; k++) {
        base[k] += share * value[k];
        for (uint32_t g = 0; g < points; g++) sum[(size_t)k * points + g] = value[k] * path[g];
    }
}

static void sum_subtree(Explanation *self, uint32_t node, uint32_t level);

/* Go down one edge with the factor o, z of its feature, and credit the feature on the way back. */
static void take_edge(Explanation *self, uint32_t parent, uint32_t child, int is_taken,
                      uint32_t level)
{
    const Forest *forest = self->forest;
    uint32_t points = forest->points, outputs = forest->outputs;
    uint32_t feature = node_feature(forest->node[parent], forest->shift);
    double o0 = self->ones[feature], z0 = self->zeros[feature];
    double o1 = is_taken ? o0 : 0, z1 = z0 * (forest->weight[child] / forest->weight[parent]);
    const double *path = self->paths + (size_t)level * points;
    double *below = self->paths + (size_t)(level + 1) * points;
    double *edge = self->edges + (size_t)level * points;
    for (uint32_t g = 0; g < points; g++) {
        double t = forest->point[g];
        double f0 = t * o0 + (1 - t) * z0, f1 = t * o1 + (1 - t) * z1;
        below[g] = path[g] / f0 * f1;
        /* An edge above on the same feature has counted this subtree with its own factor. */
        edge[g] = forest->share[g] * ((o1 - z1) / f1 - (o0 - z0) / f0);
    }
    self->ones[feature] = o1;
    self->zeros[feature] = z1;
    sum_subtree(self, child, level + 1);
    self->ones[feature] = o0;
    self->zeros[feature] = z0;
    const double *sum = self->sums + (size_t)(level + 1) * outputs * points;
    for (uint32_t k = 0; k < outputs; k++) {
        double credit = 0;
        for (uint32_t g = 0; g < points; g++) credit += edge[g] * sum[(size_t)k * points + g];
        self->phi[(size_t)feature * outputs + k] += credit;
    }
}

static void sum_subtree(Explanation *self, uint32_t node, uint32_t level)
{
    const Forest *forest = self->forest;
    Node at = forest->node[node];
    uint32_t left = node + node_below(at, forest->shift);
    if (left == node) {
        sum_leaf(self, node, level);
        return;
    }
    size_t width = (size_t)forest->outputs * forest->points;
    double *sum = self->sums + level * width;
    const double *below = sum + width;
    uint32_t key = forest_key(self->row[node_feature(at, forest->shift)]);
    int goes_right = (int)node_is_right(at, key, forest->shift);
    take_edge(self, node, left, !goes_right, level);
    for (size_t i = 0; i < width; i++) sum[i] = below[i];
    take_edge(self, node, left + 1, goes_right, level);
    for (size_t i = 0; i < width; i++) sum[i] += below[i];
}

int forest_explain(const Forest *forest, const float *rows, size_t count, double *out)
{
    size_t features = forest->features, outputs = forest->outputs, points = forest->points;
    size_t levels = forest->depth + 1, size = (features + 1) * outputs;
    size_t numbers = 2 * features + levels * points * (2 + outputs);
    double *memory = numbers > MAX_NUMBERS ? NULL : calloc(numbers, sizeof(double));
    if (!memory) return -1;
    Explanation self = {.forest = forest, .ones = memory, .zeros = memory + features};
    self.paths = memory + 2 * features;
    self.edges = self.paths + levels * points;
    self.sums = self.edges + levels * points;
    for (size_t i = 0; i < features; i++) self.ones[i] = self.zeros[i] = 1;
    for (size_t g = 0; g < points; g++) self.paths[g] = 1;
    for (size_t i = 0; i < count * size; i++) out[i] = 0;
    for (size_t row = 0; row < count; row++) {
        self.row = rows + row * features;
        self.phi = out + row * size;
        for (uint32_t tree = 0; tree < forest->trees; tree++) {
            self.root_weight = forest->weight[forest->root[tree]];
            sum_subtree(&self, forest->root[tree], 0);
        }
        for (size_t k = 0; k < outputs; k++) self.phi[features * outputs + k] += forest->start;
        for (size_t i = 0; i < size; i++) self.phi[i] /= forest->divisor;
    }
    free(memory);
    return 0;
}
