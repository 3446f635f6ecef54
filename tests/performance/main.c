/* performance_tcp: how fast the packet code is on an in-memory port, and what it weighs.
 *
 *   performance_tcp [accept|data|mail|flood|idle ...]   measures (all, when none is named)
 *   performance_tcp --smoke                             as little as shows that it works
 *   performance_tcp --work accept|data|data-verify|tcp|tcp-verify|mail|flood
 *                   fixed work, for callgrind (tests/performance/instructions); prints the units
 *
 * Prints; judges nothing. docs/performance.md explains the figures. */
#include <stdio.h>
#include <string.h>

#include "tests/performance/bench.h"

static const struct {
    const char *name;
    void (*measure)(const struct scale *scale);
} main_measures[] = {
    {"accept", measure_accept}, {"data", measure_data}, {"mail", measure_mail},
    {"flood", measure_flood},   {"idle", measure_idle},
};

static int main_work(const char *name)
{
    uint64_t units;

    if (strcmp(name, "accept") == 0)
        units = work_accept(10000);
    else if (strcmp(name, "data") == 0)
        units = work_data(BENCH_SMTP, false, 20000000);
    else if (strcmp(name, "data-verify") == 0)
        units = work_data(BENCH_SMTP, true, 20000000);
    else if (strcmp(name, "tcp") == 0)
        units = work_data(BENCH_READER, false, 20000000);
    else if (strcmp(name, "tcp-verify") == 0)
        units = work_data(BENCH_READER, true, 20000000);
    else if (strcmp(name, "mail") == 0)
        units = work_mail(2000);
    else if (strcmp(name, "flood") == 0)
        units = work_flood(100000);
    else
        return 2;
    printf("units %llu\n", (unsigned long long)units);
    return 0;
}

static int main_measure(const char *name, const struct scale *scale)
{
    for (size_t i = 0; i < sizeof(main_measures) / sizeof(main_measures[0]); i++) {
        if (strcmp(main_measures[i].name, name) == 0) {
            main_measures[i].measure(scale);
            return 0;
        }
    }
    return 2;
}

static int main_usage(void)
{
    (void)fprintf(stderr, "usage: performance_tcp [--smoke] [accept|data|mail|flood|idle ...]\n"
                          "       performance_tcp --work accept|data|data-verify|tcp|tcp-verify|"
                          "mail|flood\n");
    return 2;
}

int main(int argc, char **argv)
{
    struct scale scale = {0};
    int first = 1;

    if (argc == 3 && strcmp(argv[1], "--work") == 0)
        return main_work(argv[2]) == 0 ? 0 : main_usage();
    if (first < argc && strcmp(argv[first], "--smoke") == 0) {
        scale.smoke = true;
        first++;
    }
    scale.frequency = bench_frequency();
    printf("%.2f GHz time-stamp counter; one core, no NIC; best of several rounds\n",
           scale.frequency / 1e9);
    for (int i = first; i < argc; i++) {
        if (main_measure(argv[i], &scale) != 0)
            return main_usage();
    }
    for (size_t i = 0; first == argc && i < sizeof(main_measures) / sizeof(main_measures[0]); i++)
        main_measures[i].measure(&scale);
    return 0;
}
