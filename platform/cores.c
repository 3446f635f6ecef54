#include "platform/cores.h"

#include <errno.h>
#include <fcntl.h>
#include <hwloc.h>
#include <pthread.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "platform/check.h"
#include "platform/why.h"

#define MACHINE_CPUS_MAX      1024u
#define CPUS_PER_WORKER       4u
#define SCANNER_PROCESSES_MIN 2u
#define SCANNER_PROCESSES_MAX 32u
#define CPU_LIST_BYTES        96u

/* The cpus this process may use, as the kernel numbers them. */
struct machine {
    unsigned count;
    struct machine_cpu {
        unsigned cpu;
        unsigned core; /* siblings share it */
        int node;      /* NUMA node, -1 when unknown */
        bool sibling;  /* not the first of its core */
    } cpus[MACHINE_CPUS_MAX];
    char list[CPU_LIST_BYTES]; /* for texts: 0-3,8 */
};

struct plan {
    const struct machine *machine;
    const struct config_cores *cores;
    struct core_map *map;
    int node;
    struct why *why;
};

__attribute__((format(printf, 2, 3))) static enum status refuse(const struct plan *plan,
                                                                const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    why_set_list(plan->why, format, arguments);
    va_end(arguments);
    return STATUS_BAD_CONFIG;
}

static void cores_machine_add(struct machine *machine, hwloc_topology_t topology, hwloc_obj_t unit)
{
    hwloc_obj_t core = hwloc_get_ancestor_obj_by_type(topology, HWLOC_OBJ_CORE, unit);
    struct machine_cpu *cpu = &machine->cpus[machine->count];

    if (machine->count >= MACHINE_CPUS_MAX)
        return;
    cpu->cpu = unit->os_index;
    cpu->core = core ? core->logical_index : unit->logical_index;
    cpu->node = unit->nodeset ? hwloc_bitmap_first(unit->nodeset) : -1;
    cpu->sibling = false;
    for (unsigned i = 0; core && i < machine->count; i++)
        if (machine->cpus[i].core == cpu->core)
            cpu->sibling = true;
    machine->count++;
}

/* Allowed is what the cpuset controller grants and the affinity we were started with leaves. */
static void cores_machine_read(struct machine *machine, hwloc_topology_t topology)
{
    hwloc_bitmap_t allowed = hwloc_bitmap_dup(hwloc_topology_get_allowed_cpuset(topology));
    hwloc_bitmap_t bound = hwloc_bitmap_alloc();
    int id = 0;

    if (allowed && bound && hwloc_topology_is_thissystem(topology) &&
        hwloc_get_cpubind(topology, bound, HWLOC_CPUBIND_THREAD) == 0 &&
        hwloc_bitmap_intersects(allowed, bound))
        hwloc_bitmap_and(allowed, allowed, bound);
    if (allowed) {
        hwloc_bitmap_list_snprintf(machine->list, sizeof(machine->list), allowed);
        hwloc_bitmap_foreach_begin(id, allowed)
        {
            hwloc_obj_t unit = hwloc_get_pu_obj_by_os_index(topology, (unsigned)id);

            if (unit)
                cores_machine_add(machine, topology, unit);
        }
        hwloc_bitmap_foreach_end();
    }
    hwloc_bitmap_free(bound);
    hwloc_bitmap_free(allowed);
}

static enum status cores_machine_load(struct machine *machine)
{
    hwloc_topology_t topology = NULL;

    memset(machine, 0, sizeof(*machine));
    if (hwloc_topology_init(&topology) != 0)
        return STATUS_NO_MEMORY;
    if (hwloc_topology_load(topology) == 0)
        cores_machine_read(machine, topology);
    hwloc_topology_destroy(topology);
    return machine->count > 0 ? STATUS_OK : STATUS_UNSUPPORTED;
}

static const struct machine_cpu *cores_find_cpu(const struct machine *machine, unsigned cpu)
{
    for (unsigned i = 0; i < machine->count; i++)
        if (machine->cpus[i].cpu == cpu)
            return &machine->cpus[i];
    return NULL;
}

static bool cores_is_among(const unsigned *cpus, unsigned count, unsigned cpu)
{
    for (unsigned i = 0; i < count; i++)
        if (cpus[i] == cpu)
            return true;
    return false;
}

/* Copies cpus that the configuration names, after checking them. */
static enum status cores_take_named(const struct plan *plan, const char *key,
                                    const struct config_cpus *named, unsigned *cpus,
                                    unsigned *count)
{
    for (unsigned i = 0; i < named->count && i < CONFIG_CPUS_MAX; i++) {
        if (!cores_find_cpu(plan->machine, named->cpu[i]))
            return refuse(plan,
                          "cores.%s names cpu %u, which does not exist or is not allowed here; "
                          "these are: %s",
                          key, named->cpu[i], plan->machine->list);
        if (cores_is_among(cpus, *count, named->cpu[i]))
            return refuse(plan, "cores.%s names cpu %u twice; name each once", key, named->cpu[i]);
        cpus[(*count)++] = named->cpu[i];
    }
    return STATUS_OK;
}

static enum status cores_plan_main(const struct plan *plan)
{
    const struct config_cpus *workers = &plan->cores->workers;
    unsigned count = 0;

    if (plan->cores->main.count > 0)
        return cores_take_named(plan, "main", &plan->cores->main, &plan->map->main, &count);
    plan->map->main = plan->machine->cpus[0].cpu;
    for (unsigned i = 0; i < plan->machine->count; i++) {
        if (cores_is_among(workers->cpu, workers->count, plan->machine->cpus[i].cpu))
            continue;
        plan->map->main = plan->machine->cpus[i].cpu;
        return STATUS_OK;
    }
    return STATUS_OK;
}

/* What is wrong with a cpu as a worker's, the lower the better. Being near the NIC outweighs
 * having the core alone: remote memory costs on every packet. */
static unsigned cores_worker_cost(const struct plan *plan, const struct machine_cpu *cpu)
{
    const struct machine_cpu *main = cores_find_cpu(plan->machine, plan->map->main);
    unsigned cost = 0;

    if (main && cpu->core == main->core)
        cost += 4;
    if (plan->node >= 0 && cpu->node != plan->node)
        cost += 2;
    if (cpu->sibling)
        cost += 1;
    return cost;
}

/* The best free cpu; of equals the last, away from cpu 0 and its interrupts. */
static const struct machine_cpu *cores_best_worker(const struct plan *plan)
{
    const struct machine_cpu *best = NULL;

    for (unsigned i = 0; i < plan->machine->count; i++) {
        const struct machine_cpu *cpu = &plan->machine->cpus[i];

        if (cpu->cpu == plan->map->main ||
            cores_is_among(plan->map->workers, plan->map->worker_count, cpu->cpu))
            continue;
        if (!best || cores_worker_cost(plan, cpu) <= cores_worker_cost(plan, best))
            best = cpu;
    }
    return best;
}

static enum status cores_plan_workers(const struct plan *plan)
{
    unsigned wanted = plan->machine->count / CPUS_PER_WORKER;
    struct core_map *map = plan->map;

    if (plan->cores->workers.count > 0)
        return cores_take_named(plan, "workers", &plan->cores->workers, map->workers,
                                &map->worker_count);
    if (wanted == 0)
        wanted = 1;
    while (map->worker_count < wanted && map->worker_count < CONFIG_CPUS_MAX) {
        const struct machine_cpu *cpu = cores_best_worker(plan);

        if (!cpu)
            break;
        map->workers[map->worker_count++] = cpu->cpu;
    }
    if (map->worker_count == 0)
        map->workers[map->worker_count++] = map->main;
    return STATUS_OK;
}

static bool cores_shares_core_with_worker(const struct plan *plan, const struct machine_cpu *cpu)
{
    for (unsigned i = 0; i < plan->map->worker_count; i++) {
        const struct machine_cpu *worker = cores_find_cpu(plan->machine, plan->map->workers[i]);

        if (worker && worker->core == cpu->core)
            return true;
    }
    return false;
}

/* How much of the machine scanners may have: each step gives up one consideration. */
enum scanner_room { ROOM_APART, ROOM_BESIDE_WORKERS, ROOM_WITH_MAIN, ROOM_ANYWHERE };

static bool cores_fits_scanner(const struct plan *plan, const struct machine_cpu *cpu,
                               enum scanner_room room)
{
    if (room < ROOM_ANYWHERE &&
        cores_is_among(plan->map->workers, plan->map->worker_count, cpu->cpu))
        return false;
    if (room < ROOM_WITH_MAIN && cpu->cpu == plan->map->main)
        return false;
    return room >= ROOM_BESIDE_WORKERS || !cores_shares_core_with_worker(plan, cpu);
}

static enum status cores_plan_scanners(const struct plan *plan)
{
    struct core_map *map = plan->map;
    unsigned room = ROOM_APART;

    if (plan->cores->scanners.count > 0)
        return cores_take_named(plan, "scanners", &plan->cores->scanners, map->scanners,
                                &map->scanner_count);
    /* With two cpus, scanning is what the machine has to share; a polling worker shares nothing. */
    if (plan->machine->count <= 2 && plan->cores->idle == CONFIG_IDLE_ADAPTIVE)
        room = ROOM_ANYWHERE;
    for (; map->scanner_count == 0 && room <= ROOM_ANYWHERE; room++)
        for (unsigned i = 0; i < plan->machine->count && map->scanner_count < CONFIG_CPUS_MAX; i++)
            if (cores_fits_scanner(plan, &plan->machine->cpus[i], (enum scanner_room)room))
                map->scanners[map->scanner_count++] = plan->machine->cpus[i].cpu;
    return STATUS_OK;
}

static enum status cores_plan_control(const struct plan *plan)
{
    struct core_map *map = plan->map;

    if (plan->cores->control.count > 0)
        return cores_take_named(plan, "control", &plan->cores->control, map->control,
                                &map->control_count);
    map->control[map->control_count++] = map->main;
    return STATUS_OK;
}

/* A polling worker never gives its cpu up, so nothing else may live there. */
static enum status cores_check_polling(const struct plan *plan)
{
    const struct core_map *map = plan->map;

    if (plan->cores->idle != CONFIG_IDLE_POLL)
        return STATUS_OK;
    if (plan->machine->count < 2)
        return refuse(plan,
                      "cores.idle is poll, but there is one cpu only (%s); write idle: "
                      "adaptive, or give the machine two cpus",
                      plan->machine->list);
    if (cores_is_among(map->workers, map->worker_count, map->main))
        return refuse(plan,
                      "cpu %u is both in cores.workers and main's, and cores.idle is poll; write "
                      "idle: adaptive, or move one of them (allowed: %s)",
                      map->main, plan->machine->list);
    return STATUS_OK;
}

static void cores_plan_processes(const struct plan *plan, unsigned configured)
{
    unsigned processes = configured;

    if (processes == 0) {
        processes = plan->map->scanner_count;
        if (processes < SCANNER_PROCESSES_MIN)
            processes = SCANNER_PROCESSES_MIN;
        if (processes > SCANNER_PROCESSES_MAX)
            processes = SCANNER_PROCESSES_MAX;
    }
    plan->map->scanner_processes = processes;
}

enum status cores_plan(const struct config *config, int numa_node, struct core_map *map,
                       struct why *why)
{
    struct machine *machine = malloc(sizeof(*machine));
    struct plan plan = {machine, &config->cores, map, numa_node, why};
    enum status status = STATUS_OK;

    why_clear(why);
    memset(map, 0, sizeof(*map));
    if (!machine) {
        why_set(why, "out of memory");
        return STATUS_NO_MEMORY;
    }
    status = cores_machine_load(machine);
    if (status != STATUS_OK)
        why_set(why, "hwloc cannot tell which cpus this machine has; is /sys mounted?");
    if (status == STATUS_OK)
        status = cores_plan_main(&plan);
    if (status == STATUS_OK)
        status = cores_plan_workers(&plan);
    if (status == STATUS_OK)
        status = cores_check_polling(&plan);
    if (status == STATUS_OK)
        status = cores_plan_scanners(&plan);
    if (status == STATUS_OK)
        status = cores_plan_control(&plan);
    if (status == STATUS_OK)
        cores_plan_processes(&plan, config->scanner.processes);
    free(machine);
    return status;
}

int cores_numa_of_pci(const char *pci_address)
{
    char path[128];
    char text[16] = "";
    char *end = NULL;
    ssize_t got = 0;
    long node = -1;
    int fd = -1;

    /* Only what can be an address may become part of a path. */
    if (pci_address[0] == '\0' || strlen(pci_address) > 31 ||
        pci_address[strspn(pci_address, "0123456789abcdefABCDEF:.")] != '\0' ||
        strstr(pci_address, ".."))
        return -1;
    snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/numa_node", pci_address);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -1;
    got = read(fd, text, sizeof(text) - 1);
    close(fd);
    if (got <= 0)
        return -1;
    node = strtol(text, &end, 10);
    return end != text && node >= 0 && node < (long)MACHINE_CPUS_MAX ? (int)node : -1;
}

enum status cores_plan_here(const struct config *config, struct core_map *map, struct why *why)
{
    int node = -1;

    if (config->port_count > 0 && config->ports[0].kind == CONFIG_PORT_PCI)
        node = cores_numa_of_pci(config->ports[0].pci_address);
    return cores_plan(config, node, map, why);
}

enum status cores_bind(const unsigned *cpus, unsigned count)
{
    cpu_set_t set;
    int error = 0;

    if (count == 0)
        return STATUS_BAD_ARGUMENT;
    CPU_ZERO(&set);
    for (unsigned i = 0; i < count; i++) {
        if (cpus[i] >= CPU_SETSIZE)
            return STATUS_BAD_ARGUMENT;
        CPU_SET(cpus[i], &set);
    }
    error = pthread_setaffinity_np(pthread_self(), sizeof(set), &set);
    if (error == 0)
        return STATUS_OK;
    errno = error;
    if (error == EPERM)
        return STATUS_NOT_PERMITTED;
    return error == EINVAL ? STATUS_BAD_ARGUMENT : STATUS_SYSTEM;
}
