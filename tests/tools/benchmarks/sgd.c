/* Per-name SGD of a tanh RNN with a softmax on top, by hand: the limit that compiled code can be measured against.
 *
 * UNITS and VOCAB come from the compiler's command line. Rows are padded to whole vectors; the padding stays zero (tanh
 * of zero is zero, so is its slope's factor), except the output bias', which begins so low that its softmax is zero.
 */
#include <math.h>
#include <string.h>

#define WIDE(n) (((n) + 15) / 16 * 16)
#define U WIDE(UNITS)
#define V WIDE(VOCAB)
#define LONGEST 256

typedef struct {
    _Alignas(64) float kernel[VOCAB][U];    /* x to h */
    _Alignas(64) float recurrent[UNITS][U]; /* h to h */
    _Alignas(64) float bias[U];
    _Alignas(64) float out_kernel[UNITS][V]; /* h to logits */
    _Alignas(64) float out_bias[V];
    _Alignas(64) float state[U]; /* carried from name to name */
} Model;

static inline float clipped(float g, float limit) { return g > limit ? limit : g < -limit ? -limit : g; }

/* Learn one name, in place; ids has count letters, 0 is the stop character. Returns the summed loss in nats. */
static float step(Model *m, const int *ids, int count, float rate, float limit) {
    static _Alignas(64) float h[LONGEST + 2][U], d_logits[LONGEST + 1][V], dz[LONGEST + 1][U];
    static _Alignas(64) float across[UNITS][U], out_across[VOCAB][U]; /* both kernels, transposed */
    _Alignas(64) float d_kernel[VOCAB][U];
    int seen[VOCAB] = {0}, time = count + 1;
    float loss = 0;

    memcpy(h[0], m->state, sizeof h[0]);
    for (int t = 0; t < time; t++) {
        _Alignas(64) float z[U], y[V];
        const float *x = t ? m->kernel[ids[t - 1]] : NULL;
        for (int j = 0; j < U; j++) z[j] = m->bias[j] + (x ? x[j] : 0);
        for (int i = 0; i < UNITS; i++)
            for (int j = 0; j < U; j++) z[j] += h[t][i] * m->recurrent[i][j];
        for (int j = 0; j < U; j++) h[t + 1][j] = tanhf(z[j]);

        memcpy(y, m->out_bias, sizeof y);
        for (int i = 0; i < UNITS; i++)
            for (int k = 0; k < V; k++) y[k] += h[t + 1][i] * m->out_kernel[i][k];
        float top = y[0], sum = 0;
        for (int k = 1; k < V; k++) top = fmaxf(top, y[k]);
        for (int k = 0; k < V; k++) sum += y[k] = expf(y[k] - top);
        for (int k = 0; k < V; k++) d_logits[t][k] = y[k] / sum;
        int target = t < count ? ids[t] : 0;
        loss -= logf(d_logits[t][target]);
        d_logits[t][target] -= 1;
    }

    for (int i = 0; i < UNITS; i++) {
        for (int j = 0; j < UNITS; j++) across[j][i] = m->recurrent[i][j];
        for (int k = 0; k < VOCAB; k++) out_across[k][i] = m->out_kernel[i][k];
    }
    for (int t = time - 1; t >= 0; t--) {
        _Alignas(64) float dh[U] = {0};
        for (int k = 0; k < VOCAB; k++)
            for (int j = 0; j < U; j++) dh[j] += d_logits[t][k] * out_across[k][j];
        if (t + 1 < time)
            for (int i = 0; i < UNITS; i++)
                for (int j = 0; j < U; j++) dh[j] += dz[t + 1][i] * across[i][j];
        for (int j = 0; j < U; j++) dz[t][j] = dh[j] * (1 - h[t + 1][j] * h[t + 1][j]);
    }

    for (int i = 0; i < UNITS; i++) {
        _Alignas(64) float g[U] = {0}, out_g[V] = {0};
        for (int t = 0; t < time; t++) {
            for (int j = 0; j < U; j++) g[j] += h[t][i] * dz[t][j];
            for (int k = 0; k < V; k++) out_g[k] += h[t + 1][i] * d_logits[t][k];
        }
        for (int j = 0; j < U; j++) m->recurrent[i][j] -= rate * clipped(g[j], limit);
        for (int k = 0; k < V; k++) m->out_kernel[i][k] -= rate * clipped(out_g[k], limit);
    }
    _Alignas(64) float db[U] = {0}, out_db[V] = {0};
    for (int t = 0; t < time; t++) {
        for (int j = 0; j < U; j++) db[j] += dz[t][j];
        for (int k = 0; k < V; k++) out_db[k] += d_logits[t][k];
        if (!t) continue;
        int x = ids[t - 1];
        if (!seen[x]) memset(d_kernel[x], 0, sizeof d_kernel[x]);
        seen[x] = 1;
        for (int j = 0; j < U; j++) d_kernel[x][j] += dz[t][j];
    }
    for (int j = 0; j < U; j++) m->bias[j] -= rate * clipped(db[j], limit);
    for (int k = 0; k < V; k++) m->out_bias[k] -= rate * clipped(out_db[k], limit);
    for (int x = 0; x < VOCAB; x++)
        if (seen[x])
            for (int j = 0; j < U; j++) m->kernel[x][j] -= rate * clipped(d_kernel[x][j], limit);
    memcpy(m->state, h[time], sizeof m->state);
    return loss;
}

static Model model;

/* Set the weights, float, in Keras' order and layout, and a zero state. */
void begin(const float *kernel, const float *recurrent, const float *bias, const float *out_kernel,
           const float *out_bias) {
    memset(&model, 0, sizeof model);
    for (int x = 0; x < VOCAB; x++) memcpy(model.kernel[x], kernel + x * UNITS, UNITS * sizeof(float));
    for (int i = 0; i < UNITS; i++) {
        memcpy(model.recurrent[i], recurrent + i * UNITS, UNITS * sizeof(float));
        memcpy(model.out_kernel[i], out_kernel + i * VOCAB, VOCAB * sizeof(float));
    }
    memcpy(model.bias, bias, UNITS * sizeof(float));
    memcpy(model.out_bias, out_bias, VOCAB * sizeof(float));
    for (int k = VOCAB; k < V; k++) model.out_bias[k] = -1e4f;
}

/* Make the steps first ... first + steps - 1 over names that lie one after the other in ids; names are no longer than
 * LONGEST. Writes the loss of each step. */
void train(const int *ids, const int *starts, int names, int first, int steps, float rate, float limit, float *losses) {
    for (int j = 0; j < steps; j++) {
        int name = (first + j) % names;
        losses[j] = step(&model, ids + starts[name], starts[name + 1] - starts[name], rate, limit);
    }
}
