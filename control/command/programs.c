#include "control/command/programs.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

void programs_init(struct programs_file *file, const char *runtime_directory)
{
    *file = (struct programs_file){0};
    snprintf(file->path, sizeof(file->path), "%s/" PROGRAMS_NAME, runtime_directory);
}

/* Any start or end changes it: process numbers are never 0, and restarts only grow. */
static unsigned long programs_sum(const struct supervisor *supervisor)
{
    unsigned long sum = 1;

    for (unsigned i = 0; i < supervisor->program_count; i++)
        sum = sum * 1000003 + (unsigned long)supervisor->programs[i].pid * 31 +
              supervisor->programs[i].restart_count;
    return sum;
}

static json_t *programs_object(const struct supervisor *supervisor)
{
    json_t *rows = json_array();

    for (unsigned i = 0; i < supervisor->program_count; i++) {
        const struct supervisor_program *program = &supervisor->programs[i];

        if (program->once && program->pid == 0 && program->last_end[0] == '\0')
            continue; /* there never was one */
        (void)json_array_append_new(
            rows, json_pack("{s:s, s:s, s:i, s:s}", "program", program->name, "state",
                            program->pid > 0 ? "running"
                            : program->once  ? "ended"
                                             : "waiting to be started again",
                            "restarts", (int)program->restart_count, "last_end",
                            program->last_end[0] != '\0' ? program->last_end : "-"));
    }
    return rows;
}

void programs_write(struct programs_file *file, const struct supervisor *supervisor)
{
    unsigned long sum = programs_sum(supervisor);
    char fresh[sizeof(file->path) + 8];
    json_t *rows;

    if (sum == file->written)
        return;
    file->written = sum;
    snprintf(fresh, sizeof(fresh), "%s.new", file->path);
    rows = programs_object(supervisor);
    if (json_dump_file(rows, fresh, JSON_COMPACT) != 0 || rename(fresh, file->path) != 0)
        fprintf(stderr, "postern: cannot write %s: the status lacks the programs\n", file->path);
    json_decref(rows);
}

void programs_remove(const struct programs_file *file)
{
    (void)unlink(file->path);
}

/* An array, the caller's; null when there is none. */
static json_t *programs_read(const char *socket)
{
    const char *slash = strrchr(socket, '/');
    char path[256];
    json_t *rows;

    snprintf(path, sizeof(path), "%.*s" PROGRAMS_NAME,
             slash == NULL ? 0 : (int)(slash - socket + 1), socket);
    rows = json_load_file(path, 0, NULL);
    if (json_is_array(rows))
        return rows;
    json_decref(rows);
    return NULL;
}

/* The row of `name`; null when there is none. */
static json_t *programs_row(json_t *rows, const char *name)
{
    size_t index;
    json_t *row;

    json_array_foreach(rows, index, row)
    {
        const char *program = json_string_value(json_object_get(row, "program"));

        if (program != NULL && name != NULL && strcmp(program, name) == 0)
            return row;
    }
    return NULL;
}

void programs_join(json_t *status, const char *socket)
{
    json_t *said = programs_read(socket);
    json_t *rows = json_object_get(status, "programs");
    size_t index;
    json_t *row;

    if (said == NULL)
        return;
    if (!json_is_array(rows)) {
        (void)json_object_set_new(status, "programs", said);
        return;
    }
    json_array_foreach(said, index, row)
    {
        json_t *known = programs_row(rows, json_string_value(json_object_get(row, "program")));

        if (known != NULL)
            (void)json_object_update_missing(known, row);
        else
            (void)json_array_append(rows, row);
    }
    json_decref(said);
}
