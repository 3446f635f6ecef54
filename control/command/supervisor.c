#include "control/command/supervisor.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "control/command/command.h"
#include "platform/check.h"
#include "platform/clock.h"
#include "platform/log/notice.h"

#define SUPERVISOR_LOG_POLL_NS (250 * CLOCK_NS_PER_MS)

const struct supervisor_times supervisor_times_default = {
    .backoff_first_ns = 100 * CLOCK_NS_PER_MS,
    .backoff_max_ns = 5 * CLOCK_NS_PER_SECOND,
    .at_once_ns = CLOCK_NS_PER_SECOND,
    .early_ns = 5 * CLOCK_NS_PER_SECOND,
    .early_deaths_max = 3,
    .drain_ns = 35 * CLOCK_NS_PER_SECOND,
    .stop_ns = 5 * CLOCK_NS_PER_SECOND,
};

enum status supervisor_open(struct supervisor *supervisor, const char *config_file,
                            const struct supervisor_times *times)
{
    sigset_t signals;

    *supervisor = (struct supervisor){.config_file = config_file,
                                      .times = *times,
                                      .phase = SUPERVISOR_RUNNING,
                                      .phase_deadline_ns = INT64_MAX,
                                      .signal_fd = -1};
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGHUP);
    sigaddset(&signals, SIGCHLD);
    if (sigprocmask(SIG_BLOCK, &signals, &supervisor->saved_mask) != 0)
        return STATUS_SYSTEM;
    /* Blocked by now. A signal that was ignored before us (nohup, a script's background) would come
     * neither to signalfd nor to the programs, which inherit that. */
    signal(SIGTERM, SIG_DFL);
    signal(SIGINT, SIG_DFL);
    signal(SIGHUP, SIG_DFL);
    supervisor->signal_fd = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
    if (supervisor->signal_fd >= 0)
        return STATUS_OK;
    sigprocmask(SIG_SETMASK, &supervisor->saved_mask, NULL);
    return STATUS_SYSTEM;
}

void supervisor_add(struct supervisor *supervisor, const char *name, const char *path)
{
    CHECK(supervisor->program_count < SUPERVISOR_PROGRAMS_MAX);
    supervisor->programs[supervisor->program_count++] = (struct supervisor_program){
        .name = name, .path = path, .backoff_ns = supervisor->times.backoff_first_ns};
}

unsigned supervisor_add_once(struct supervisor *supervisor, const char *name, const char *path,
                             const char *option)
{
    unsigned index = supervisor->program_count;

    supervisor_add(supervisor, name, path);
    supervisor->programs[index].option = option;
    supervisor->programs[index].once = true;
    return index;
}

void supervisor_start_once(struct supervisor *supervisor, unsigned index)
{
    CHECK(index < supervisor->program_count && supervisor->programs[index].once);
    CHECK(supervisor->programs[index].pid == 0);
    if (supervisor->phase == SUPERVISOR_RUNNING)
        supervisor->programs[index].start_ns = 0;
}

pid_t supervisor_pid(const struct supervisor *supervisor, unsigned index)
{
    const struct supervisor_program *program = &supervisor->programs[index];

    return program->pid == 0 && program->start_ns != INT64_MAX ? 1 : program->pid;
}

const char *supervisor_last_end(const struct supervisor *supervisor, unsigned index)
{
    return supervisor->programs[index].last_end;
}

void supervisor_replace(struct supervisor *supervisor, unsigned index, unsigned once)
{
    struct supervisor_program *program = &supervisor->programs[index];
    struct supervisor_program *other = &supervisor->programs[once];
    struct supervisor_program old = *program;

    CHECK(other->once && other->pid > 0);
    program->pid = other->pid;
    program->started_ns = other->started_ns;
    program->start_ns = INT64_MAX;
    program->backoff_ns = supervisor->times.backoff_first_ns;
    other->pid = old.pid;
    other->started_ns = old.started_ns;
    if (supervisor->watch != NULL && supervisor->watch->replaced != NULL)
        supervisor->watch->replaced(supervisor->watch->context, index, once);
    if (old.pid > 0)
        kill(old.pid, SIGTERM);
}

void supervisor_close(struct supervisor *supervisor)
{
    close(supervisor->signal_fd);
    sigprocmask(SIG_SETMASK, &supervisor->saved_mask, NULL);
}

/* In the child: never returns. */
static void supervisor_become(const struct supervisor *supervisor,
                              const struct supervisor_program *program, int config_fd, pid_t parent)
{
    char option[] = "-c";
    char descriptor_option[] = "--config-fd";
    char number[16];
    char *arguments[] = {(char *)program->path, option, (char *)supervisor->config_file,
                         (char *)program->option, NULL};
    sigset_t none;

    if (config_fd >= 0) {
        snprintf(number, sizeof(number), "%d", config_fd);
        arguments[1] = descriptor_option;
        arguments[2] = number;
        fcntl(config_fd, F_SETFD, 0); /* survives the exec below */
    }

    setpgid(0, 0);
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    /* The parent may have died before the request above took effect. */
    if (getppid() != parent)
        _exit(EXIT_FAILED);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    execv(program->path, arguments);
    fprintf(stderr, "postern: cannot start %s: %s\n", program->path, strerror(errno));
    _exit(EXIT_FAILED);
}

static void supervisor_died(struct supervisor *supervisor, struct supervisor_program *program,
                            int wait_status, int64_t now_ns);

static void supervisor_start(struct supervisor *supervisor, struct supervisor_program *program,
                             int64_t now_ns)
{
    const struct supervisor_watch *watch = supervisor->watch;
    pid_t parent = getpid();
    int config_fd = -1;
    pid_t pid;

    if (watch->prepare != NULL)
        config_fd =
            watch->prepare(watch->context, (unsigned)(program - supervisor->programs), now_ns);
    fflush(NULL);
    pid = fork();
    if (pid == 0)
        supervisor_become(supervisor, program, config_fd, parent);
    if (config_fd >= 0)
        close(config_fd);
    program->started_ns = now_ns;
    program->start_ns = INT64_MAX;
    if (pid < 0) {
        /* No process to be had: tried again like one that died at once. */
        notice("cannot start %s: %s", program->name, strerror(errno));
        supervisor_died(supervisor, program, EXIT_FAILED << 8, now_ns);
        return;
    }
    program->pid = pid;
}

static void supervisor_send(const struct supervisor *supervisor, unsigned first, unsigned end,
                            int signal_number)
{
    for (unsigned i = first; i < end; i++) {
        if (supervisor->programs[i].pid > 0)
            kill(supervisor->programs[i].pid, signal_number);
    }
}

static bool supervisor_any_left(const struct supervisor *supervisor)
{
    for (unsigned i = 0; i < supervisor->program_count; i++) {
        if (supervisor->programs[i].pid > 0)
            return true;
    }
    return false;
}

static void supervisor_stop_others(struct supervisor *supervisor, int64_t now_ns)
{
    supervisor->phase = SUPERVISOR_STOPPING;
    supervisor->phase_deadline_ns = now_ns + supervisor->times.stop_ns;
    supervisor_send(supervisor, 1, supervisor->program_count, SIGTERM);
}

/* The first program ends first: it answers what is in flight while the others still serve it. */
static void supervisor_end(struct supervisor *supervisor, int exit_code, int64_t now_ns)
{
    if (supervisor->phase != SUPERVISOR_RUNNING)
        return;
    supervisor->exit_code = exit_code;
    for (unsigned i = 0; i < supervisor->program_count; i++)
        supervisor->programs[i].start_ns = INT64_MAX;
    if (supervisor->programs[0].pid == 0) {
        supervisor_stop_others(supervisor, now_ns);
        return;
    }
    supervisor->phase = SUPERVISOR_DRAINING;
    supervisor->phase_deadline_ns = now_ns + supervisor->times.drain_ns;
    supervisor_send(supervisor, 0, 1, SIGTERM);
}

static void supervisor_describe(int wait_status, char *text, size_t size)
{
    if (WIFSIGNALED(wait_status))
        snprintf(text, size, "was killed by signal %d (%s)", WTERMSIG(wait_status),
                 strsignal(WTERMSIG(wait_status)));
    else
        snprintf(text, size, "ended with exit code %d%s", WEXITSTATUS(wait_status),
                 WEXITSTATUS(wait_status) == EXIT_CONFIG ? " (bad configuration or database)" : "");
}

void supervisor_served(struct supervisor *supervisor)
{
    supervisor->served = true;
}

/* True when starting it again cannot help; the run is then ending. An appliance that has served is
 * never ended for what one program says: what is wrong now was right once and can be mended, and
 * the others still do their work. */
static bool supervisor_is_hopeless(struct supervisor *supervisor,
                                   struct supervisor_program *program, int code, int64_t life_ns,
                                   int64_t now_ns)
{
    if (supervisor->served)
        return false;
    if (code == EXIT_CONFIG || code == EXIT_USAGE) {
        notice("%s ended with exit code %d (%s): stopping", program->name, code,
               code == EXIT_CONFIG ? "bad configuration" : "wrong usage");
        supervisor_end(supervisor, code, now_ns);
        return true;
    }
    if (code != EXIT_FAILED || life_ns >= supervisor->times.early_ns) {
        program->early_deaths = 0;
        return false;
    }
    if (++program->early_deaths < supervisor->times.early_deaths_max)
        return false;
    notice("%s failed to start %u times in a row (see its last words): stopping", program->name,
           program->early_deaths);
    supervisor_end(supervisor, EXIT_FAILED, now_ns);
    return true;
}

/* How long it stays away. One that dies at once, or of what stands in a file, is tried more and
 * more rarely; one that has worked for a while is away for a small share of that while. */
static int64_t supervisor_pause(struct supervisor *supervisor, struct supervisor_program *program,
                                int code, int64_t life_ns)
{
    const struct supervisor_times *times = &supervisor->times;
    int64_t pause_ns = program->backoff_ns;

    if (code != EXIT_CONFIG && code != EXIT_USAGE && life_ns >= times->at_once_ns) {
        pause_ns = life_ns / SUPERVISOR_AWAY_SHARE;
        if (pause_ns < times->backoff_first_ns)
            pause_ns = times->backoff_first_ns;
        program->backoff_ns = times->backoff_first_ns;
    } else {
        program->backoff_ns *= 2;
    }
    if (program->backoff_ns > times->backoff_max_ns)
        program->backoff_ns = times->backoff_max_ns;
    return pause_ns < times->backoff_max_ns ? pause_ns : times->backoff_max_ns;
}

static void supervisor_died(struct supervisor *supervisor, struct supervisor_program *program,
                            int wait_status, int64_t now_ns)
{
    int64_t life_ns = now_ns - program->started_ns;
    int code = WIFEXITED(wait_status) ? WEXITSTATUS(wait_status) : -1;
    int64_t pause_ns;

    program->pid = 0;
    if (supervisor->phase != SUPERVISOR_RUNNING) {
        if (supervisor->phase == SUPERVISOR_DRAINING && program == &supervisor->programs[0])
            supervisor_stop_others(supervisor, now_ns);
        return;
    }
    supervisor_describe(wait_status, program->last_end, sizeof(program->last_end));
    if (program->once) {
        program->start_ns = INT64_MAX;
        return;
    }
    if (supervisor_is_hopeless(supervisor, program, code, life_ns, now_ns))
        return;
    pause_ns = supervisor_pause(supervisor, program, code, life_ns);
    program->start_ns = now_ns + pause_ns;
    program->restart_count++;
    notice("%s %s after %.1f s: starting it again in %lld ms", program->name, program->last_end,
           (double)life_ns / (double)CLOCK_NS_PER_SECOND, (long long)(pause_ns / CLOCK_NS_PER_MS));
}

static void supervisor_reap(struct supervisor *supervisor, int64_t now_ns)
{
    for (unsigned i = 0; i < supervisor->program_count; i++) {
        struct supervisor_program *program = &supervisor->programs[i];
        int wait_status;

        if (program->pid > 0 && waitpid(program->pid, &wait_status, WNOHANG) == program->pid)
            supervisor_died(supervisor, program, wait_status, now_ns);
    }
}

static void supervisor_signal(struct supervisor *supervisor, const struct supervisor_watch *watch,
                              int signal_number, int64_t now_ns)
{
    switch (signal_number) {
    case SIGTERM:
    case SIGINT:
        if (supervisor->phase == SUPERVISOR_DRAINING)
            supervisor_stop_others(supervisor, now_ns);
        else
            supervisor_end(supervisor, EXIT_OK, now_ns);
        break;
    case SIGHUP:
        if (supervisor->phase == SUPERVISOR_RUNNING &&
            (watch->reload == NULL || watch->reload(watch->context)))
            supervisor_send(supervisor, 0, supervisor->program_count, SIGHUP);
        break;
    default: /* SIGCHLD: supervisor_reap() asks for each program anyway */
        break;
    }
}

static void supervisor_read_signals(struct supervisor *supervisor,
                                    const struct supervisor_watch *watch, int64_t now_ns)
{
    struct signalfd_siginfo info;

    while (read(supervisor->signal_fd, &info, sizeof(info)) == (ssize_t)sizeof(info))
        supervisor_signal(supervisor, watch, (int)info.ssi_signo, now_ns);
}

/* What is due by now; returns when something is due next. */
static int64_t supervisor_advance(struct supervisor *supervisor, int64_t now_ns)
{
    int64_t next_ns;

    for (unsigned i = 0; i < supervisor->program_count; i++) {
        struct supervisor_program *program = &supervisor->programs[i];

        if (supervisor->phase == SUPERVISOR_RUNNING && program->pid == 0 &&
            program->start_ns <= now_ns)
            supervisor_start(supervisor, program, now_ns);
    }
    if (now_ns >= supervisor->phase_deadline_ns) {
        if (supervisor->phase == SUPERVISOR_DRAINING) {
            notice("%s has not drained in time", supervisor->programs[0].name);
            supervisor_stop_others(supervisor, now_ns);
        } else if (supervisor->phase == SUPERVISOR_STOPPING) {
            for (unsigned i = 0; i < supervisor->program_count; i++) {
                if (supervisor->programs[i].pid <= 0)
                    continue;
                notice("%s does not stop: killed", supervisor->programs[i].name);
                kill(-supervisor->programs[i].pid, SIGKILL);
                kill(supervisor->programs[i].pid, SIGKILL);
            }
            supervisor->phase = SUPERVISOR_KILLED;
            supervisor->phase_deadline_ns = now_ns + supervisor->times.stop_ns;
        }
    }
    next_ns = supervisor->phase_deadline_ns;
    for (unsigned i = 0; i < supervisor->program_count; i++) {
        if (supervisor->programs[i].pid == 0 && supervisor->programs[i].start_ns < next_ns)
            next_ns = supervisor->programs[i].start_ns;
    }
    return next_ns;
}

/* A process that even SIGKILL does not end (stuck in the kernel) must not hold us for ever. */
static bool supervisor_over(const struct supervisor *supervisor, int64_t now_ns)
{
    if (supervisor->phase == SUPERVISOR_RUNNING)
        return false;
    if (!supervisor_any_left(supervisor))
        return true;
    return supervisor->phase == SUPERVISOR_KILLED && now_ns >= supervisor->phase_deadline_ns;
}

static int supervisor_wait_ms(int64_t until_ns, int64_t now_ns)
{
    int64_t wait_ms;

    if (until_ns == INT64_MAX)
        return -1;
    if (until_ns <= now_ns)
        return 0;
    wait_ms = (until_ns - now_ns + CLOCK_NS_PER_MS - 1) / CLOCK_NS_PER_MS;
    return wait_ms > 60000 ? 60000 : (int)wait_ms;
}

int supervisor_run(struct supervisor *supervisor, const struct supervisor_watch *watch)
{
    int64_t now_ns = clock_monotonic_ns();

    CHECK(supervisor->program_count > 0);
    supervisor->watch = watch;
    for (unsigned i = 0; i < supervisor->program_count; i++)
        supervisor->programs[i].start_ns = supervisor->programs[i].once ? INT64_MAX : now_ns;
    while (!supervisor_over(supervisor, now_ns)) {
        struct pollfd waiting[2] = {{.fd = supervisor->signal_fd, .events = POLLIN}, {.fd = -1}};
        int64_t next_ns = supervisor_advance(supervisor, now_ns);

        if (watch->turn != NULL && supervisor->phase == SUPERVISOR_RUNNING) {
            int64_t turn_ns =
                watch->turn(watch->context, now_ns, &waiting[1].fd, &waiting[1].events);

            if (turn_ns < next_ns)
                next_ns = turn_ns;
        }
        /* Lines that nobody has read yet are tried again now and then. */
        if (notice_flush() && next_ns > now_ns + SUPERVISOR_LOG_POLL_NS)
            next_ns = now_ns + SUPERVISOR_LOG_POLL_NS;
        if (poll(waiting, 2, supervisor_wait_ms(next_ns, now_ns)) < 0 && errno != EINTR) {
            notice("poll: %s", strerror(errno));
            supervisor_end(supervisor, EXIT_FAILED, now_ns);
        }
        now_ns = clock_monotonic_ns();
        supervisor_read_signals(supervisor, watch, now_ns);
        supervisor_reap(supervisor, now_ns);
    }
    return supervisor->exit_code;
}
