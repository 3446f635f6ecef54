#include "signatures/choose/corpus.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "platform/why.h"
#include "signatures/choose/views.h"

static enum status corpus_append(struct corpus *corpus, const char *path)
{
    if (corpus->count == CORPUS_FILES_MAX)
        return STATUS_NO_SPACE;
    if (corpus->count == corpus->room) {
        size_t room = corpus->room == 0 ? 1024 : corpus->room * 2;
        char **grown = reallocarray(corpus->paths, room, sizeof(*grown));

        if (grown == NULL)
            return STATUS_NO_MEMORY;
        corpus->paths = grown;
        corpus->room = room;
    }
    corpus->paths[corpus->count] = strdup(path);
    if (corpus->paths[corpus->count] == NULL)
        return STATUS_NO_MEMORY;
    corpus->count++;
    return STATUS_OK;
}

static int corpus_order(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name); /* the same everywhere */
}

static int corpus_wanted(const struct dirent *entry)
{
    return strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
}

static enum status corpus_walk(struct corpus *corpus, const char *path, unsigned depth)
{
    struct dirent **entries;
    enum status status = STATUS_OK;
    struct stat file;
    int count;

    /* Links are followed only where somebody named them. */
    if ((depth == 0 ? stat(path, &file) : lstat(path, &file)) != 0)
        return errno == ENOENT ? STATUS_NOT_FOUND : STATUS_SYSTEM;
    if (S_ISREG(file.st_mode))
        return corpus_append(corpus, path);
    if (!S_ISDIR(file.st_mode) || depth == CORPUS_DEPTH_MAX)
        return STATUS_OK;
    count = scandir(path, &entries, corpus_wanted, corpus_order);
    if (count < 0)
        return STATUS_SYSTEM;
    for (int i = 0; i < count; i++) {
        char inner[PATH_MAX];
        int length = snprintf(inner, sizeof(inner), "%s/%s", path, entries[i]->d_name);

        free(entries[i]);
        if (status == STATUS_OK && length > 0 && (size_t)length < sizeof(inner))
            status = corpus_walk(corpus, inner, depth + 1);
    }
    free(entries);
    return status;
}

enum status corpus_add(struct corpus *corpus, const char *path, struct why *why)
{
    enum status status = corpus_walk(corpus, path, 0);

    if (status != STATUS_OK)
        why_set(why, "%s: %s", path,
                status == STATUS_SYSTEM ? strerror(errno) : status_text(status));
    return status;
}

void corpus_free(struct corpus *corpus)
{
    for (size_t i = 0; i < corpus->count; i++)
        free(corpus->paths[i]);
    free(corpus->paths);
    *corpus = (struct corpus){0};
}

size_t corpus_read(const char *path, uint8_t *buffer)
{
    FILE *file = fopen(path, "re");
    size_t length;

    if (file == NULL)
        return 0;
    length = fread(buffer, 1, CORPUS_MAIL_MAX, file);
    (void)fclose(file);
    return length;
}

struct corpus_learner {
    struct model *model;
    uint64_t left;
};

static bool learner_piece(void *context, uint32_t domains, const uint8_t *bytes, size_t length,
                          const uint8_t *squeezed, size_t squeezed_length)
{
    struct corpus_learner *learner = context;

    (void)domains, (void)bytes, (void)length;
    if (squeezed_length > learner->left)
        squeezed_length = (size_t)learner->left;
    learner->left -= squeezed_length;
    if (squeezed != NULL)
        model_learn(learner->model, squeezed, squeezed_length);
    return true;
}

enum status corpus_learn(const struct corpus *corpus, struct model *model)
{
    struct corpus_learner learner = {.model = model, .left = CORPUS_LEARN_MAX};
    struct view_sink sink = {.context = &learner, .piece = learner_piece};
    uint8_t *buffer = malloc(CORPUS_MAIL_MAX);
    struct views views = {0};
    bool ok = buffer != NULL;

    /* From all over it, should it be larger than what is learned: mails that arrived together are
     * alike. */
    for (size_t part = 0; ok && part < 16 && learner.left > 0; part++) {
        for (size_t i = part; ok && i < corpus->count && learner.left > 0; i += 16)
            ok = views_of_mail(&views, buffer, corpus_read(corpus->paths[i], buffer), &sink);
    }
    views_free(&views);
    free(buffer);
    return ok ? STATUS_OK : STATUS_NO_MEMORY;
}

void corpus_counts_free(struct corpus_counts *counts)
{
    free(counts->leaves);
    free(counts->groups);
    free(counts->signatures);
    *counts = (struct corpus_counts){0};
}
