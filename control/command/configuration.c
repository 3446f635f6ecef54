#include "control/command/configuration.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "control/command/command.h"
#include "platform/check.h"
#include "platform/config/changes.h"
#include "platform/config/sealed.h"
#include "platform/exit.h"

#define CONFIGURATION_CONTROL "postern-control" /* who shows the view */

int configuration_open(struct configuration *configuration, const char *file)
{
    struct config_errors errors;

    *configuration = (struct configuration){.file = file, .sealed_fd = -1};
    if (sealed_make(file, 1, &configuration->start, &configuration->sealed_fd, &errors) !=
        STATUS_OK) {
        command_print_errors(&errors);
        return EXIT_CONFIG;
    }
    configuration->number = 1;
    configuration->digest = configuration->start->digest;
    return EXIT_OK;
}

void configuration_close(struct configuration *configuration)
{
    for (unsigned i = 0; i < configuration->count; i++)
        if (configuration->programs[i].feed >= 0)
            close(configuration->programs[i].feed);
    if (configuration->sealed_fd >= 0)
        close(configuration->sealed_fd);
    config_free(configuration->start);
}

void configuration_add(struct configuration *configuration, const char *name, bool always)
{
    CHECK(configuration->count < FEED_PROGRAMS_MAX);
    configuration->programs[configuration->count++] =
        (struct configuration_program){.name = name, .always = always, .feed = -1};
}

static void configuration_hang_up(struct configuration *configuration,
                                  struct configuration_program *program)
{
    if (program->feed >= 0)
        close(program->feed);
    program->feed = -1;
    program->answer = (struct feed_answer){0};
    configuration->view_changed = true;
}

static void configuration_offer(struct configuration *configuration,
                                struct configuration_program *program)
{
    enum status status = feed_offer(program->feed, configuration->sealed_fd);

    program->told_late = false;
    if (status != STATUS_OK && status != STATUS_CLOSED)
        fprintf(stderr, "postern: %s cannot be given configuration %u: %s\n", program->name,
                configuration->number, status_text(status));
}

int configuration_prepare(struct configuration *configuration, unsigned index, int64_t now_ns)
{
    struct configuration_program *program = &configuration->programs[index];
    int theirs = -1;

    CHECK(index < configuration->count);
    configuration_hang_up(configuration, program);
    if (feed_pair(&program->feed, &theirs) != STATUS_OK) {
        fprintf(stderr, "postern: no socket for %s: %s\n", program->name, strerror(errno));
        return -1;
    }
    configuration_offer(configuration, program);
    configuration->offered_ns = now_ns;
    return theirs;
}

bool configuration_reload(struct configuration *configuration, struct config **taken,
                          int64_t now_ns)
{
    struct config_errors errors;
    struct config *config;
    char keys[400];
    int fd;

    if (sealed_make(configuration->file, configuration->number + 1, &config, &fd, &errors) !=
        STATUS_OK) {
        command_print_errors(&errors);
        fputs("postern: the configuration was not reloaded\n", stderr);
        return false;
    }
    close(configuration->sealed_fd);
    configuration->sealed_fd = fd;
    configuration->number = config->number;
    configuration->digest = config->digest;
    configuration->offered_ns = now_ns;
    configuration->told_waiting = false;
    configuration->view_changed = true;
    fprintf(stderr, "postern: reloading the configuration: number %u, digest %016llx\n",
            config->number, (unsigned long long)config->digest);
    if (changes_for_restart(configuration->start, config, keys, sizeof(keys)) > 0)
        fprintf(stderr, "postern: these have changed and take effect with a restart: %s\n", keys);
    *taken = config;
    for (unsigned i = 0; i < configuration->count; i++)
        if (configuration->programs[i].feed >= 0)
            configuration_offer(configuration, &configuration->programs[i]);
    return true;
}

void configuration_swap(struct configuration *configuration, unsigned index, unsigned other)
{
    struct configuration_program *one = &configuration->programs[index];
    struct configuration_program *two = &configuration->programs[other];
    struct configuration_program was = *one;

    CHECK(index < configuration->count && other < configuration->count && index != other);
    *one = *two;
    *two = was;
    two->name = one->name;
    two->always = one->always;
    one->name = was.name;
    one->always = was.always;
    configuration->view_changed = true;
}

static void configuration_say(const struct configuration *configuration,
                              const struct configuration_program *program,
                              const struct feed_answer *before)
{
    const struct feed_answer *now = &program->answer;

    if (now->refused != 0 && now->refused != before->refused)
        fprintf(stderr, "postern: %s refuses configuration %u and keeps %u: %s\n", program->name,
                now->refused, now->number, now->why);
    else if (now->number == configuration->number && before->number != now->number &&
             program->told_late)
        fprintf(stderr, "postern: %s has configuration %u now\n", program->name, now->number);
    if (now->number == configuration->number && now->oldest == now->number && before->oldest != 0 &&
        before->oldest != now->oldest && configuration->told_waiting)
        fprintf(stderr, "postern: %s: nothing goes by an older configuration than %u any more\n",
                program->name, now->number);
}

static void configuration_hear(struct configuration *configuration,
                               struct configuration_program *program)
{
    for (;;) {
        struct feed_answer before = program->answer;
        enum status status = feed_hear(program->feed, &program->answer);

        if (status == STATUS_AGAIN)
            return;
        if (status != STATUS_OK) {
            configuration_hang_up(configuration, program); /* a new one comes with its next start */
            return;
        }
        configuration->view_changed = true;
        configuration_say(configuration, program, &before);
    }
}

static bool configuration_is_late(const struct configuration *configuration,
                                  const struct configuration_program *program)
{
    return program->feed >= 0 && program->answer.number != configuration->number &&
           program->answer.refused != configuration->number;
}

static bool configuration_waits(const struct configuration_program *program)
{
    return program->feed >= 0 && program->answer.oldest != program->answer.number;
}

/* Names, once, who is late and what waits. True while there is something to watch for. */
static bool configuration_watch(struct configuration *configuration, int64_t now_ns)
{
    bool patient = now_ns - configuration->offered_ns < CONFIGURATION_PATIENCE_NS;
    bool watch = false;

    for (unsigned i = 0; i < configuration->count; i++) {
        struct configuration_program *program = &configuration->programs[i];
        bool waits = configuration_waits(program);

        if (configuration_is_late(configuration, program)) {
            watch = true;
            if (!patient && !program->told_late && program->answer.number != 0) {
                program->told_late = true;
                fprintf(stderr, "postern: %s still has configuration %u, not %u\n", program->name,
                        program->answer.number, configuration->number);
            }
        }
        if (waits && !patient && !configuration->told_waiting) {
            configuration->told_waiting = true;
            fprintf(stderr, "postern: %s has configuration %u; something still goes by %u: %s\n",
                    program->name, program->answer.number, program->answer.oldest,
                    program->answer.why);
        }
        watch = watch || waits;
    }
    return watch;
}

static void configuration_show(struct configuration *configuration)
{
    struct feed_view view = {.number = configuration->number, .digest = configuration->digest};
    const struct configuration_program *control = NULL;

    for (unsigned i = 0; i < configuration->count; i++) {
        const struct configuration_program *program = &configuration->programs[i];

        if (program->feed >= 0 || program->always) {
            struct feed_line *line = &view.lines[view.count++];

            snprintf(line->name, sizeof(line->name), "%s", program->name);
            line->answer = program->answer;
        }
        if (strcmp(program->name, CONFIGURATION_CONTROL) == 0 && program->feed >= 0)
            control = program;
    }
    /* One that finds no room is sent again; without control there is nobody to show it to. */
    if (control == NULL || control->answer.number == 0 ||
        feed_show(control->feed, &view) != STATUS_AGAIN)
        configuration->view_changed = false;
}

int64_t configuration_turn(struct configuration *configuration, int64_t now_ns)
{
    bool watch;

    for (unsigned i = 0; i < configuration->count; i++)
        if (configuration->programs[i].feed >= 0)
            configuration_hear(configuration, &configuration->programs[i]);
    watch = configuration_watch(configuration, now_ns);
    if (configuration->view_changed)
        configuration_show(configuration);
    return watch || configuration->view_changed ? now_ns + CONFIGURATION_POLL_NS : INT64_MAX;
}
