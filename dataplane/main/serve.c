/* The main thread's turns between the start and the end. */
#include <errno.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

#include "dataplane/main/main_thread.h"
#include "platform/exit.h"

static volatile sig_atomic_t serve_hup;
static volatile sig_atomic_t serve_terms;
static volatile sig_atomic_t serve_begun;

static void serve_signal(int number)
{
    if (number == SIGHUP)
        serve_hup = 1;
    else if (!serve_begun)
        _exit(EXIT_OK); /* nobody is served yet, and memory may take minutes */
    else if (serve_terms < 2)
        serve_terms++;
}

void main_catch_signals(void)
{
    struct sigaction action = {.sa_handler = serve_signal, .sa_flags = SA_RESTART};

    sigaction(SIGHUP, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGINT, &action, NULL);
    signal(SIGPIPE, SIG_IGN);
}

static void serve_reload(struct main_thread *thread)
{
    if (!serve_hup && thread->source.feed < 0)
        return;
    serve_hup = 0; /* first: one that comes meanwhile asks for another */
    if (!main_reload(thread))
        serve_hup = 1;
}

static void serve_watch_spread(struct main_thread *thread)
{
    unsigned worker = 0;
    unsigned percent = 0;

    switch (
        spread_look(&thread->spread, &thread->region, clock_monotonic_ns(), &worker, &percent)) {
    case SPREAD_LOPSIDED:
        notice("connections do not spread: worker %u had %u %% of the last "
               "ones; check the port's RSS, or set spreading: software",
               worker, percent);
        break;
    case SPREAD_EVEN_AGAIN:
        notice("connections spread evenly again");
        break;
    case SPREAD_NOTHING:
        break;
    }
}

void main_serve(struct main_thread *thread)
{
    struct timespec wake;
    int64_t next_ns;

    serve_begun = 1;
    do {
        peers_server_poll(thread->server, clock_monotonic_ns());
        main_write_log(thread);
        serve_reload(thread);
        main_retire(thread);
        prefilter_watch_poll(&thread->prefilter, clock_monotonic_ns());
        serve_watch_spread(thread);
        /* An absolute deadline: some port drivers interrupt sleeps with signals of their own. */
        next_ns = clock_monotonic_ns() + MAIN_TICK_NS;
        wake = (struct timespec){next_ns / CLOCK_NS_PER_SECOND, next_ns % CLOCK_NS_PER_SECOND};
        while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &wake, NULL) == EINTR &&
               serve_terms == 0)
            continue;
    } while (!main_drain(thread, (unsigned)serve_terms, clock_monotonic_ns()));
}
