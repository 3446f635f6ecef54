#include "dataplane/offline/files.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static void files_complain(struct file_list *list, const char *path, const char *why)
{
    fprintf(stderr, "postern scan: %s: %s\n", path, why);
    list->error_count++;
}

static enum status files_append(struct file_list *list, const char *path, uint64_t size)
{
    if (list->count == FILES_MAX) {
        files_complain(list, path, "too many files");
        return STATUS_OK;
    }
    if (list->count == list->room) {
        size_t room = list->room == 0 ? 64 : list->room * 2;
        struct file_entry *entries = reallocarray(list->entries, room, sizeof(*entries));

        if (entries == NULL)
            return STATUS_NO_MEMORY;
        list->entries = entries;
        list->room = room;
    }
    list->entries[list->count].path = strdup(path);
    list->entries[list->count].size = size;
    if (list->entries[list->count].path == NULL)
        return STATUS_NO_MEMORY;
    list->count++;
    return STATUS_OK;
}

static int files_order(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name); /* not the locale's order: the same everywhere */
}

static int files_wanted(const struct dirent *entry)
{
    return strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
}

static enum status files_add_directory(struct file_list *list, const char *path, unsigned depth);

/* `path` lies in a directory that is being walked. */
static enum status files_add_inner(struct file_list *list, const char *path, unsigned depth)
{
    struct stat file;

    if (lstat(path, &file) != 0) {
        files_complain(list, path, strerror(errno));
        return STATUS_OK;
    }
    if (S_ISDIR(file.st_mode))
        return files_add_directory(list, path, depth);
    if (S_ISREG(file.st_mode))
        return files_append(list, path, (uint64_t)file.st_size);
    return STATUS_OK;
}

/* At most FILES_DEPTH_MAX deep. */
static enum status files_add_directory(struct file_list *list, const char *path, unsigned depth)
{
    struct dirent **entries;
    enum status status = STATUS_OK;
    int count;

    if (depth == FILES_DEPTH_MAX) {
        files_complain(list, path, "too many levels of directories");
        return STATUS_OK;
    }
    count = scandir(path, &entries, files_wanted, files_order);
    if (count < 0) {
        files_complain(list, path, strerror(errno));
        return STATUS_OK;
    }
    for (int i = 0; i < count; i++) {
        char *inner = NULL;
        const char *slash = path[strlen(path) - 1] == '/' ? "" : "/";

        if (status == STATUS_OK && asprintf(&inner, "%s%s%s", path, slash, entries[i]->d_name) < 0)
            status = STATUS_NO_MEMORY;
        if (status == STATUS_OK) {
            if (strlen(inner) < PATH_MAX)
                status = files_add_inner(list, inner, depth + 1);
            else
                files_complain(list, path, strerror(ENAMETOOLONG));
            free(inner);
        }
        free(entries[i]);
    }
    free(entries);
    return status;
}

enum status files_add(struct file_list *list, const char *path)
{
    struct stat file;

    if (path[0] == '\0' || stat(path, &file) != 0) {
        files_complain(list, path[0] == '\0' ? "''" : path,
                       path[0] == '\0' ? strerror(ENOENT) : strerror(errno));
        return STATUS_OK;
    }
    if (S_ISDIR(file.st_mode))
        return files_add_directory(list, path, 0);
    if (S_ISREG(file.st_mode))
        return files_append(list, path, (uint64_t)file.st_size);
    files_complain(list, path, "neither a file nor a directory");
    return STATUS_OK;
}

void files_free(struct file_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        free(list->entries[i].path);
    free(list->entries);
    *list = (struct file_list){0};
}
