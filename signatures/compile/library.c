#include "signatures/compile/library.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "platform/program.h"
#include "platform/why.h"

#define LIBRARY_SCANNER "postern-scanner"

/* Reads all there is; STATUS_BAD_FORMAT when that is too much. */
static enum status library_read(FILE *from, char **text)
{
    size_t length;

    *text = malloc(LIBRARY_TEXT_MAX + 1);
    if (*text == NULL)
        return STATUS_NO_MEMORY;
    length = fread(*text, 1, LIBRARY_TEXT_MAX + 1, from);
    if (ferror(from))
        return STATUS_SYSTEM;
    if (length > LIBRARY_TEXT_MAX)
        return STATUS_BAD_FORMAT;
    (*text)[length] = '\0';
    return STATUS_OK;
}

static enum status library_from_file(const char *path, char **text, struct why *why)
{
    FILE *file = fopen(path, "re");
    enum status status;

    if (file == NULL) {
        why_set(why, "%s: %s", path, strerror(errno));
        return errno == ENOENT ? STATUS_NOT_FOUND : STATUS_SYSTEM;
    }
    status = library_read(file, text);
    (void)fclose(file);
    if (status != STATUS_OK)
        why_set(why, "%s: %s", path, status_text(status));
    return status;
}

/* In the child: never returns. It must not outlive a build that is ended. */
static void library_become(const char *path, int output, pid_t parent)
{
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() == parent && dup2(output, STDOUT_FILENO) >= 0)
        (void)execl(path, path, "--describe", (char *)NULL);
    _exit(127);
}

/* Starts the scanner with its output in a pipe; *from is the other end. */
static int library_spawn(const char *path, FILE **from, pid_t *process)
{
    pid_t parent = getpid();
    int ends[2];

    if (pipe2(ends, O_CLOEXEC) != 0)
        return errno;
    *process = fork();
    if (*process == 0)
        library_become(path, ends[1], parent);
    (void)close(ends[1]);
    if (*process < 0) {
        int error = errno;

        (void)close(ends[0]);
        return error;
    }
    *from = fdopen(ends[0], "r");
    if (*from == NULL)
        (void)close(ends[0]);
    return 0;
}

static enum status library_from_scanner(char **text, struct why *why)
{
    char path[PATH_MAX] = LIBRARY_SCANNER;
    enum status status = program_find(LIBRARY_SCANNER, path, sizeof(path));
    FILE *from = NULL;
    pid_t process = 0;
    int error, ended = 0;

    if (status != STATUS_OK) {
        why_set(why, "%s: %s", path, status_text(status));
        return status;
    }
    error = library_spawn(path, &from, &process);
    if (error != 0) {
        why_set(why, "%s: %s", path, strerror(error));
        return STATUS_SYSTEM;
    }
    status = from == NULL ? STATUS_NO_MEMORY : library_read(from, text);
    if (from != NULL)
        (void)fclose(from);
    while (waitpid(process, &ended, 0) < 0 && errno == EINTR)
        continue;
    if (status == STATUS_OK && !(WIFEXITED(ended) && WEXITSTATUS(ended) == 0))
        status = STATUS_BROKEN_PEER;
    if (status != STATUS_OK)
        why_set(why, "%s --describe: %s", path, status_text(status));
    return status;
}

/* Cuts the text into lines and understands them; false when something is missing. */
static bool library_parse(struct library *library)
{
    char *place = NULL;

    for (char *line = strtok_r(library->text, "\n", &place); line != NULL;
         line = strtok_r(NULL, "\n", &place)) {
        if (strncmp(line, "version ", 8) == 0) {
            if (strlen(line + 8) >= sizeof(library->version))
                return false;
            memcpy(library->version, line + 8, strlen(line + 8) + 1);
        } else if (strncmp(line, "flevel ", 7) == 0) {
            library->flevel = (unsigned)strtoul(line + 7, NULL, 10);
        } else if (strncmp(line, "type ", 5) == 0) {
            library->types[library->type_count++] = line + 5;
        }
    }
    return library->version[0] != '\0' && library->flevel != 0 && library->type_count > 0;
}

enum status library_describe(struct library *library, const char *file, struct why *why)
{
    enum status status;
    size_t lines = 1;

    *library = (struct library){0};
    status = file != NULL ? library_from_file(file, &library->text, why)
                          : library_from_scanner(&library->text, why);
    if (status != STATUS_OK) {
        library_free(library);
        return status;
    }
    for (const char *at = library->text; *at != '\0'; at++)
        lines += *at == '\n';
    library->types = calloc(lines, sizeof(*library->types));
    if (library->types == NULL)
        status = STATUS_NO_MEMORY;
    else if (!library_parse(library))
        status = STATUS_BAD_FORMAT;
    if (status != STATUS_OK) {
        why_set(why, "%s: %s", file != NULL ? file : LIBRARY_SCANNER " --describe",
                status == STATUS_BAD_FORMAT ? "no version, level or file types in it"
                                            : status_text(status));
        library_free(library);
    }
    return status;
}

void library_free(struct library *library)
{
    free(library->text);
    free(library->types);
    *library = (struct library){0};
}
