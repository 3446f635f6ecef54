/* Machines of other shapes come from hwloc's synthetic topologies: the same code reads them. */
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "platform/cores.h"
#include "platform/why.h"

static void use_machine(const char *synthetic)
{
    if (synthetic)
        assert_int_equal(setenv("HWLOC_SYNTHETIC", synthetic, 1), 0);
    else
        assert_int_equal(unsetenv("HWLOC_SYNTHETIC"), 0);
}

static struct config automatic(void)
{
    struct config config;

    memset(&config, 0, sizeof(config));
    config.cores.main.automatic = true;
    config.cores.workers.automatic = true;
    config.cores.scanners.automatic = true;
    config.cores.control.automatic = true;
    config.cores.idle = CONFIG_IDLE_ADAPTIVE;
    return config;
}

static void name(struct config_cpus *cpus, unsigned count, const unsigned *cpu)
{
    memset(cpus, 0, sizeof(*cpus));
    cpus->count = count;
    memcpy(cpus->cpu, cpu, count * sizeof(*cpu));
}

#define NAME(cpus, ...) \
    name((cpus), sizeof((unsigned[]){__VA_ARGS__}) / sizeof(unsigned), (unsigned[]){__VA_ARGS__})

static struct core_map planned(const struct config *config, int node)
{
    struct core_map map;
    struct why why;

    if (cores_plan(config, node, &map, &why) != STATUS_OK)
        fail_msg("%s", why.text);
    assert_string_equal(why.text, "");
    return map;
}

static void refused(const struct config *config, const char *piece)
{
    struct core_map map;
    struct why why;

    assert_int_equal(cores_plan(config, -1, &map, &why), STATUS_BAD_CONFIG);
    if (!strstr(why.text, piece))
        fail_msg("\"%s\" is not in \"%s\"", piece, why.text);
}

static void assert_cpus(const unsigned *cpus, unsigned count, unsigned expected_count,
                        const unsigned *expected)
{
    assert_int_equal(count, expected_count);
    assert_memory_equal(cpus, expected, count * sizeof(*cpus));
}

#define ASSERT_CPUS(cpus, count, ...)                                                  \
    assert_cpus((cpus), (count), sizeof((unsigned[]){__VA_ARGS__}) / sizeof(unsigned), \
                (unsigned[]){__VA_ARGS__})

static void one_cpu_does_everything(void **state)
{
    struct config config = automatic();
    struct core_map map;

    (void)state;
    use_machine("core:1 pu:1");
    map = planned(&config, -1);
    assert_int_equal(map.main, 0);
    ASSERT_CPUS(map.workers, map.worker_count, 0);
    ASSERT_CPUS(map.scanners, map.scanner_count, 0);
    ASSERT_CPUS(map.control, map.control_count, 0);
    assert_int_equal(map.scanner_processes, 2);
}

static void two_cpus_share_scanning(void **state)
{
    struct config config = automatic();
    struct core_map map;

    (void)state;
    use_machine("core:2 pu:1");
    map = planned(&config, -1);
    assert_int_equal(map.main, 0);
    ASSERT_CPUS(map.workers, map.worker_count, 1);
    ASSERT_CPUS(map.scanners, map.scanner_count, 0, 1);
    ASSERT_CPUS(map.control, map.control_count, 0);
    assert_int_equal(map.scanner_processes, 2);
}

static void polling_worker_keeps_scanners_away(void **state)
{
    struct config config = automatic();
    struct core_map map;

    (void)state;
    use_machine("core:2 pu:1");
    config.cores.idle = CONFIG_IDLE_POLL;
    map = planned(&config, -1);
    ASSERT_CPUS(map.workers, map.worker_count, 1);
    ASSERT_CPUS(map.scanners, map.scanner_count, 0);
}

static void eight_cpus_get_two_workers(void **state)
{
    struct config config = automatic();
    struct core_map map;

    (void)state;
    use_machine("core:8 pu:1");
    map = planned(&config, -1);
    assert_int_equal(map.main, 0);
    ASSERT_CPUS(map.workers, map.worker_count, 7, 6);
    ASSERT_CPUS(map.scanners, map.scanner_count, 1, 2, 3, 4, 5);
    assert_int_equal(map.scanner_processes, 5);
}

static void workers_go_to_the_nics_node(void **state)
{
    struct config config = automatic();
    struct core_map map;

    (void)state;
    use_machine("numa:2 core:4 pu:1");
    map = planned(&config, 0);
    assert_int_equal(map.main, 0);
    ASSERT_CPUS(map.workers, map.worker_count, 3, 2);
    map = planned(&config, 1);
    ASSERT_CPUS(map.workers, map.worker_count, 7, 6);
}

static void siblings_of_workers_and_main_stay_free(void **state)
{
    struct config config = automatic();
    struct core_map map;

    (void)state;
    /* Cores {0,1} {2,3} {4,5} {6,7}. */
    use_machine("core:4 pu:2");
    map = planned(&config, -1);
    ASSERT_CPUS(map.workers, map.worker_count, 6, 4);
    ASSERT_CPUS(map.scanners, map.scanner_count, 1, 2, 3);
}

static void big_machine_stays_within_bounds(void **state)
{
    struct config config = automatic();
    struct core_map map;

    (void)state;
    use_machine("core:512 pu:1");
    map = planned(&config, -1);
    assert_int_equal(map.worker_count, CONFIG_CPUS_MAX);
    assert_int_equal(map.scanner_count, CONFIG_CPUS_MAX);
    assert_int_equal(map.scanner_processes, 32);
}

static void named_cpus_are_taken_as_they_are(void **state)
{
    struct config config = automatic();
    struct core_map map;

    (void)state;
    use_machine("core:8 pu:1");
    NAME(&config.cores.main, 3);
    NAME(&config.cores.workers, 0, 5);
    NAME(&config.cores.scanners, 1, 2, 6);
    NAME(&config.cores.control, 4, 7);
    config.cores.idle = CONFIG_IDLE_POLL;
    config.scanner.processes = 9;
    map = planned(&config, -1);
    assert_int_equal(map.main, 3);
    ASSERT_CPUS(map.workers, map.worker_count, 0, 5);
    ASSERT_CPUS(map.scanners, map.scanner_count, 1, 2, 6);
    ASSERT_CPUS(map.control, map.control_count, 4, 7);
    assert_int_equal(map.scanner_processes, 9);
}

static void main_steps_aside_for_named_workers(void **state)
{
    struct config config = automatic();
    struct core_map map;

    (void)state;
    use_machine("core:4 pu:1");
    NAME(&config.cores.workers, 0, 1);
    map = planned(&config, -1);
    assert_int_equal(map.main, 2);
    ASSERT_CPUS(map.scanners, map.scanner_count, 3);
}

static void scanners_always_have_a_cpu(void **state)
{
    struct config config = automatic();
    struct core_map map;

    (void)state;
    use_machine("core:4 pu:1");
    NAME(&config.cores.workers, 1, 2, 3);
    map = planned(&config, -1);
    ASSERT_CPUS(map.scanners, map.scanner_count, 0);
    NAME(&config.cores.workers, 0, 1, 2, 3);
    map = planned(&config, -1);
    ASSERT_CPUS(map.scanners, map.scanner_count, 0, 1, 2, 3);
}

static void worker_may_share_mains_cpu_when_adaptive_only(void **state)
{
    struct config config = automatic();
    struct core_map map;

    (void)state;
    use_machine("core:4 pu:1");
    NAME(&config.cores.main, 1);
    NAME(&config.cores.workers, 1, 2);
    map = planned(&config, -1);
    assert_int_equal(map.main, 1);
    config.cores.idle = CONFIG_IDLE_POLL;
    refused(&config, "cpu 1 is both in cores.workers and main's");
}

static void cpus_that_are_not_there_are_refused(void **state)
{
    struct config config = automatic();

    (void)state;
    use_machine("core:4 pu:1");
    NAME(&config.cores.workers, 4);
    refused(&config, "cores.workers names cpu 4, which does not exist or is not allowed here; "
                     "these are: 0-3");
    config = automatic();
    NAME(&config.cores.main, 9);
    refused(&config, "cores.main names cpu 9");
    config = automatic();
    NAME(&config.cores.scanners, 0, 77);
    refused(&config, "cores.scanners names cpu 77");
    config = automatic();
    NAME(&config.cores.control, 4);
    refused(&config, "cores.control names cpu 4");
}

static void worker_cpus_are_named_once(void **state)
{
    struct config config = automatic();

    (void)state;
    use_machine("core:4 pu:1");
    NAME(&config.cores.workers, 2, 3, 2);
    refused(&config, "cores.workers names cpu 2 twice");
}

static void polling_needs_two_cpus(void **state)
{
    struct config config = automatic();

    (void)state;
    use_machine("core:1 pu:1");
    config.cores.idle = CONFIG_IDLE_POLL;
    refused(&config, "there is one cpu only");
}

/* The real machine from here on. */

static unsigned allowed_here(cpu_set_t *set)
{
    assert_int_equal(sched_getaffinity(0, sizeof(*set), set), 0);
    return (unsigned)CPU_COUNT(set);
}

static void this_machine_gets_a_plan_of_allowed_cpus(void **state)
{
    struct config config = automatic();
    struct core_map map;
    cpu_set_t set;

    (void)state;
    use_machine(NULL);
    (void)allowed_here(&set);
    map = planned(&config, -1);
    assert_true(CPU_ISSET(map.main, &set));
    assert_true(map.worker_count > 0 && map.scanner_count > 0 && map.control_count > 0);
    for (unsigned i = 0; i < map.worker_count; i++)
        assert_true(CPU_ISSET(map.workers[i], &set));
    for (unsigned i = 0; i < map.scanner_count; i++)
        assert_true(CPU_ISSET(map.scanners[i], &set));
}

/* Runs in a child: binding is for good. The exit code names the step that failed. */
static int bind_and_plan(unsigned cpu, unsigned other)
{
    struct config config = automatic();
    struct core_map map;
    struct why why;
    cpu_set_t set;

    if (cores_bind(&cpu, 1) != STATUS_OK)
        return 1;
    if (sched_getaffinity(0, sizeof(set), &set) != 0 || CPU_COUNT(&set) != 1 ||
        !CPU_ISSET(cpu, &set))
        return 2;
    if (cores_plan(&config, -1, &map, &why) != STATUS_OK || map.main != cpu ||
        map.worker_count != 1 || map.workers[0] != cpu)
        return 3;
    NAME(&config.cores.workers, other);
    if (cores_plan(&config, -1, &map, &why) != STATUS_BAD_CONFIG ||
        !strstr(why.text, "not allowed here"))
        return 4;
    return 0;
}

static void binding_narrows_what_is_allowed(void **state)
{
    unsigned cpus[2] = {0, 0};
    unsigned found = 0;
    cpu_set_t set;
    int result = 0;
    pid_t child = 0;

    (void)state;
    use_machine(NULL);
    if (allowed_here(&set) < 2)
        skip();
    for (unsigned cpu = 0; cpu < CPU_SETSIZE && found < 2; cpu++)
        if (CPU_ISSET(cpu, &set))
            cpus[found++] = cpu;
    child = fork();
    assert_true(child >= 0);
    if (child == 0)
        _exit(bind_and_plan(cpus[1], cpus[0]));
    assert_int_equal(waitpid(child, &result, 0), child);
    assert_true(WIFEXITED(result));
    assert_int_equal(WEXITSTATUS(result), 0);
}

static void binding_to_nothing_is_refused(void **state)
{
    unsigned far_away = 1u << 20;

    (void)state;
    assert_int_equal(cores_bind(&far_away, 0), STATUS_BAD_ARGUMENT);
    assert_int_equal(cores_bind(&far_away, 1), STATUS_BAD_ARGUMENT);
}

static void unknown_devices_have_no_node(void **state)
{
    (void)state;
    assert_int_equal(cores_numa_of_pci(""), -1);
    assert_int_equal(cores_numa_of_pci("ffff:ff:1f.7"), -1);
    assert_int_equal(cores_numa_of_pci("../../../../etc/passwd"), -1);
    assert_int_equal(cores_numa_of_pci(".."), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_cpu_does_everything),
        cmocka_unit_test(two_cpus_share_scanning),
        cmocka_unit_test(polling_worker_keeps_scanners_away),
        cmocka_unit_test(eight_cpus_get_two_workers),
        cmocka_unit_test(workers_go_to_the_nics_node),
        cmocka_unit_test(siblings_of_workers_and_main_stay_free),
        cmocka_unit_test(big_machine_stays_within_bounds),
        cmocka_unit_test(named_cpus_are_taken_as_they_are),
        cmocka_unit_test(main_steps_aside_for_named_workers),
        cmocka_unit_test(scanners_always_have_a_cpu),
        cmocka_unit_test(worker_may_share_mains_cpu_when_adaptive_only),
        cmocka_unit_test(cpus_that_are_not_there_are_refused),
        cmocka_unit_test(worker_cpus_are_named_once),
        cmocka_unit_test(polling_needs_two_cpus),
        cmocka_unit_test(this_machine_gets_a_plan_of_allowed_cpus),
        cmocka_unit_test(binding_narrows_what_is_allowed),
        cmocka_unit_test(binding_to_nothing_is_refused),
        cmocka_unit_test(unknown_devices_have_no_node),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
