/* random.h: the only source of chance in the simulator (xoshiro256**, seeded by splitmix64).
 *
 * Integers only, so a seed gives the same run on every machine and with every compiler.
 */
#ifndef TESTS_SIMULATION_RANDOM_H
#define TESTS_SIMULATION_RANDOM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct random {
    uint64_t state[4];
};

void random_seed(struct random *random, uint64_t seed);
uint64_t random_next(struct random *random);

/* Uniform in [0, limit); limit > 0. */
uint64_t random_below(struct random *random, uint64_t limit);

/* Uniform in [low, high], both included. */
int64_t random_between(struct random *random, int64_t low, int64_t high);

/* True `parts` times in 10,000. */
bool random_chance(struct random *random, unsigned parts);

/* In [low, high], small values as likely as large ones: each power of two weighs the same. */
int64_t random_size(struct random *random, int64_t low, int64_t high);

void random_fill(struct random *random, uint8_t *bytes, size_t length);

#endif
