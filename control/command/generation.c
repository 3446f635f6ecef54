#include "control/command/generation.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "platform/link/link.h"

/* -- what the database is ---------------------------------------------------------------------- */

static uint64_t generation_mix(uint64_t sum, uint64_t number)
{
    for (unsigned i = 0; i < sizeof(number); i++, number >>= 8)
        sum = (sum ^ (number & 0xff)) * UINT64_C(1099511628211);
    return sum;
}

static uint64_t generation_file(const char *name, const struct stat *file)
{
    const uint64_t facts[] = {(uint64_t)file->st_ino, (uint64_t)file->st_size,
                              (uint64_t)file->st_mtim.tv_sec, (uint64_t)file->st_mtim.tv_nsec};
    uint64_t sum = UINT64_C(14695981039346656037);

    for (; *name != '\0'; name++)
        sum = generation_mix(sum, (unsigned char)*name);
    for (size_t i = 0; i < sizeof(facts) / sizeof(facts[0]); i++)
        sum = generation_mix(sum, facts[i]);
    return sum;
}

uint64_t generation_fingerprint(const char *database)
{
    struct stat file = {0};
    const struct dirent *entry;
    uint64_t sum = 1; /* of the files, in whatever order they come */
    DIR *directory;

    if (stat(database, &file) != 0)
        return 0;
    if (!S_ISDIR(file.st_mode))
        return generation_file(database, &file);
    directory = opendir(database);
    if (directory == NULL)
        return 0;
    while ((entry = readdir(directory)) != NULL) {
        if (entry->d_name[0] != '.' && fstatat(dirfd(directory), entry->d_name, &file, 0) == 0)
            sum += generation_file(entry->d_name, &file);
    }
    closedir(directory);
    return sum;
}

/* -- from one to the next ---------------------------------------------------------------------- */

static void generation_unlink(struct generation *generation)
{
    if (generation->fd >= 0)
        close(generation->fd);
    generation->fd = -1;
    generation->welcome = false;
}

void generation_init(struct generation *generation, const struct config *config, unsigned serving,
                     unsigned candidate)
{
    *generation = (struct generation){.serving = serving, .candidate = candidate, .fd = -1};
    memcpy(generation->database, config->scanner.database, sizeof(generation->database));
    snprintf(generation->link_path, sizeof(generation->link_path), "%s/dataplane.sock",
             config->runtime_directory);
    generation->served = generation_fingerprint(generation->database);
}

void generation_reload(struct generation *generation, struct supervisor *supervisor,
                       const struct config *config)
{
    uint64_t now;

    memcpy(generation->database, config->scanner.database, sizeof(generation->database));
    now = generation_fingerprint(generation->database);
    if (now == (generation->wanted != 0 ? generation->wanted : generation->served))
        return;
    if (now == 0) {
        fprintf(stderr,
                "postern: there is no signature database %s: the scanners keep the one they "
                "have\n",
                generation->database);
        return;
    }
    if (supervisor_pid(supervisor, generation->candidate) > 0) {
        fputs("postern: the signatures have changed again before new scanners were ready: reload "
              "once more when they serve\n",
              stderr);
        return;
    }
    generation->wanted = now;
    generation->ask_ns = 0;
    fputs("postern: the signatures have changed: new scanners load them, the old ones serve until "
          "they are ready\n",
          stderr);
    supervisor_start_once(supervisor, generation->candidate);
}

/* Asks whether the candidate may serve. True once it does. */
static bool generation_ask(struct generation *generation)
{
    struct link_message message = {.type = LINK_HELLO, .kind = LINK_KIND_SUPERVISOR};
    enum status status = STATUS_OK;
    int fd = -1;

    if (generation->fd < 0) {
        if (link_connect(generation->link_path, &generation->fd) != STATUS_OK ||
            link_send(generation->fd, &message, -1) != STATUS_OK)
            generation_unlink(generation); /* the dataplane is away: it comes again, as we do */
        return false;
    }
    while ((status = link_receive(generation->fd, &message, &fd)) == STATUS_OK) {
        if (fd >= 0)
            close(fd);
        if (message.type == LINK_SERVE && message.slots > 0)
            return true;
        generation->welcome = generation->welcome || message.type == LINK_WELCOME;
    }
    message = (struct link_message){.type = LINK_SERVE};
    if (status != STATUS_AGAIN ||
        (generation->welcome && link_send(generation->fd, &message, -1) != STATUS_OK))
        generation_unlink(generation);
    return false;
}

int64_t generation_turn(struct generation *generation, struct supervisor *supervisor,
                        int64_t now_ns)
{
    if (generation->wanted == 0)
        return INT64_MAX;
    if (supervisor_pid(supervisor, generation->candidate) <= 0) {
        fprintf(stderr,
                "postern: the new signatures cannot be used (the new scanners' parent %s): "
                "the old ones stay in use\n",
                supervisor_last_end(supervisor, generation->candidate));
        generation->wanted = 0; /* and not `served`: the next reload tries again */
        generation_unlink(generation);
        return INT64_MAX;
    }
    if (now_ns < generation->ask_ns)
        return generation->ask_ns;
    generation->ask_ns = now_ns + GENERATION_ASK_NS;
    if (!generation_ask(generation))
        return generation->ask_ns;
    generation->served = generation->wanted;
    generation->wanted = 0;
    generation_unlink(generation);
    fputs(
        "postern: the new signatures are in use: the old scanners finish what they have, and end\n",
        stderr);
    supervisor_replace(supervisor, generation->serving, generation->candidate);
    return INT64_MAX;
}

void generation_fini(struct generation *generation)
{
    generation_unlink(generation);
}
