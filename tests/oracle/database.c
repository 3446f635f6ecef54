#include "tests/oracle/database.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DATABASE_PATH_BYTES 512

bool database_make(struct database *database)
{
    const char *memory = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";

    (void)snprintf(database->directory, sizeof(database->directory), "%s/oracle-db-XXXXXX", memory);
    if (mkdtemp(database->directory) != NULL)
        return true;
    (void)fprintf(stderr, "oracle: %s: %s\n", database->directory, strerror(errno));
    return false;
}

bool database_write(const struct database *database, const char *name, const struct bytes *content)
{
    char path[DATABASE_PATH_BYTES];

    (void)snprintf(path, sizeof(path), "%s/%s", database->directory, name);
    return bytes_save(content, path);
}

bool database_write_text(const struct database *database, const char *name, const char *content)
{
    struct bytes bytes = {0};
    bool written;

    bytes_text(&bytes, content);
    written = database_write(database, name, &bytes);
    bytes_free(&bytes);
    return written;
}

bool database_link(const struct database *database, const char *path, const char *name)
{
    char link[DATABASE_PATH_BYTES];

    (void)snprintf(link, sizeof(link), "%s/%s", database->directory, name);
    return symlink(path, link) == 0;
}

void database_remove(struct database *database)
{
    DIR *folder = opendir(database->directory);
    const struct dirent *entry;

    while (folder != NULL && (entry = readdir(folder)) != NULL) {
        char path[DATABASE_PATH_BYTES];

        if (entry->d_name[0] == '.')
            continue;
        (void)snprintf(path, sizeof(path), "%s/%s", database->directory, entry->d_name);
        (void)unlink(path);
    }
    if (folder != NULL)
        (void)closedir(folder);
    (void)rmdir(database->directory);
}
