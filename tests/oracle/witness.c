#include "tests/oracle/witness.h"

#include <clamav.h>
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WITNESS_SCAN_VIRUSES 1u              /* matcher-ac.h: AC_SCAN_VIR */
#define WITNESS_UNNAMED      "CL_TYPE_OTHER" /* the one type the library has no text for */
#define WITNESS_NONE         SIZE_MAX

/* What the library's functions look like from outside; pointers to its own structs stay opaque. */
typedef int (*witness_scan_fmap)(void *context, int type, bool type_only, void *type_offsets,
                                 unsigned mode, void *results, unsigned char *reference);
typedef int (*witness_scan_buff)(const uint8_t *bytes, uint32_t length, uint32_t offset,
                                 void *context, int type, void *data);
typedef int (*witness_ac_scanbuff)(const uint8_t *bytes, uint32_t length, const char **virus,
                                   void **custom, void *results, const void *root, void *data,
                                   uint32_t offset, int type, void *type_offsets, unsigned mode,
                                   void *context);
typedef int (*witness_matchmeta)(void *context, const char *name, size_t packed, size_t real,
                                 int encrypted, unsigned position, int checksum);
typedef int (*witness_ac_init)(void *root, uint8_t depth_min, uint8_t depth_max, uint8_t filter);
typedef const char *(*witness_type_name)(int type);

int cli_scan_fmap(void *context, int type, bool type_only, void *type_offsets, unsigned mode,
                  void *results, unsigned char *reference);
int cli_scan_buff(const uint8_t *bytes, uint32_t length, uint32_t offset, void *context, int type,
                  void *data);
int cli_ac_scanbuff(const uint8_t *bytes, uint32_t length, const char **virus, void **custom,
                    void *results, const void *root, void *data, uint32_t offset, int type,
                    void *type_offsets, unsigned mode, void *context);
int cli_matchmeta(void *context, const char *name, size_t packed, size_t real, int encrypted,
                  unsigned position, int checksum);
int cli_ac_init(void *root, uint8_t depth_min, uint8_t depth_max, uint8_t filter);

static struct {
    bool on;
    bool unfiltered;
    bool broken;
    size_t open; /* the buffer whose windows are coming, or WITNESS_NONE */
    struct bytes bytes;
    struct witness_buffer *buffers;
    size_t buffer_count;
    size_t buffer_room;
    struct witness_layer *layers;
    size_t layer_count;
    size_t layer_room;
    struct witness_name *names;
    size_t name_count;
    size_t name_room;
} watch;

/* The library's own function behind the one here. */
static void *witness_real(const char *name)
{
    void *found = dlsym(RTLD_NEXT, name);

    if (found == NULL) {
        (void)fprintf(stderr, "oracle: libclamav has no %s\n", name);
        abort();
    }
    return found;
}

static void *witness_room(void *entries, size_t *room, size_t count, size_t size)
{
    void *grown;

    if (count < *room)
        return entries;
    *room = *room == 0 ? 64 : *room * 2;
    grown = realloc(entries, *room * size);
    if (grown == NULL)
        abort();
    return grown;
}

static unsigned witness_target(const char *type)
{
    static const struct {
        const char *type;
        unsigned target;
    } targets[] = {
        {"CL_TYPE_MSEXE", 1},        {"CL_TYPE_MSOLE2", 2},     {"CL_TYPE_HTML", 3},
        {"CL_TYPE_MAIL", 4},         {"CL_TYPE_GRAPHICS", 5},   {"CL_TYPE_GIF", 5},
        {"CL_TYPE_PNG", 5},          {"CL_TYPE_JPEG", 5},       {"CL_TYPE_TIFF", 5},
        {"CL_TYPE_ELF", 6},          {"CL_TYPE_TEXT_ASCII", 7}, {"CL_TYPE_MACHO", 9},
        {"CL_TYPE_MACHO_UNIBIN", 9}, {"CL_TYPE_PDF", 10},       {"CL_TYPE_SWF", 11},
        {"CL_TYPE_JAVA", 12},        {"CL_TYPE_INTERNAL", 13},  {"CL_TYPE_OTHER", 14},
    };

    for (size_t i = 0; i < sizeof(targets) / sizeof(targets[0]); i++) {
        if (strcmp(type, targets[i].type) == 0)
            return targets[i].target;
    }
    return 0;
}

static size_t witness_add(int type, bool normalised)
{
    static witness_type_name name;
    struct witness_buffer *buffer;
    const char *text;

    if (name == NULL)
        name = (witness_type_name)witness_real("cli_ftname");
    text = name(type);
    watch.buffers =
        witness_room(watch.buffers, &watch.buffer_room, watch.buffer_count, sizeof(*watch.buffers));
    buffer = &watch.buffers[watch.buffer_count++];
    *buffer = (struct witness_buffer){.start = watch.bytes.length, .normalised = normalised};
    (void)snprintf(buffer->type, sizeof(buffer->type), "%s", text == NULL ? WITNESS_UNNAMED : text);
    buffer->target = witness_target(buffer->type);
    return watch.buffer_count - 1;
}

int cli_ac_init(void *root, uint8_t depth_min, uint8_t depth_max, uint8_t filter)
{
    static witness_ac_init real;

    if (real == NULL)
        real = (witness_ac_init)witness_real("cli_ac_init");
    return real(root, depth_min, depth_max, watch.unfiltered ? 0 : filter);
}

void witness_unfiltered(bool unfiltered)
{
    watch.unfiltered = unfiltered;
}

int cli_scan_fmap(void *context, int type, bool type_only, void *type_offsets, unsigned mode,
                  void *results, unsigned char *reference)
{
    static witness_scan_fmap real;
    size_t outer = watch.open;
    int result;

    if (real == NULL)
        real = (witness_scan_fmap)witness_real("cli_scan_fmap");
    if (watch.on && !type_only)
        watch.open = witness_add(type, false);
    result = real(context, type, type_only, type_offsets, mode, results, reference);
    watch.open = outer;
    return result;
}

int cli_scan_buff(const uint8_t *bytes, uint32_t length, uint32_t offset, void *context, int type,
                  void *data)
{
    static witness_scan_buff real;
    size_t outer = watch.open;
    int result;

    if (real == NULL)
        real = (witness_scan_buff)witness_real("cli_scan_buff");
    if (watch.on) {
        size_t added = witness_add(type, true);

        bytes_append(&watch.bytes, bytes, length);
        watch.buffers[added].length = length;
    }
    watch.open = WITNESS_NONE;
    result = real(bytes, length, offset, context, type, data);
    watch.open = outer;
    return result;
}

/* A window of the open buffer: at its end, inside what is there already, or overlapping. */
static void witness_window(const uint8_t *bytes, size_t length, size_t offset)
{
    struct witness_buffer *buffer = &watch.buffers[watch.open];
    size_t known = buffer->length;

    if (offset > known || buffer->start + known != watch.bytes.length) {
        watch.broken = true;
        return;
    }
    if (offset + length <= known)
        return;
    bytes_append(&watch.bytes, bytes + (known - offset), length - (known - offset));
    buffer->length = offset + length;
}

int cli_ac_scanbuff(const uint8_t *bytes, uint32_t length, const char **virus, void **custom,
                    void *results, const void *root, void *data, uint32_t offset, int type,
                    void *type_offsets, unsigned mode, void *context)
{
    static witness_ac_scanbuff real;

    if (real == NULL)
        real = (witness_ac_scanbuff)witness_real("cli_ac_scanbuff");
    if (watch.on && watch.open != WITNESS_NONE && (mode & WITNESS_SCAN_VIRUSES) != 0)
        witness_window(bytes, length, offset);
    return real(bytes, length, virus, custom, results, root, data, offset, type, type_offsets, mode,
                context);
}

int cli_matchmeta(void *context, const char *name, size_t packed, size_t real_bytes, int encrypted,
                  unsigned position, int checksum)
{
    static witness_matchmeta real;

    if (real == NULL)
        real = (witness_matchmeta)witness_real("cli_matchmeta");
    if (watch.on) {
        struct witness_name *entry;

        watch.names =
            witness_room(watch.names, &watch.name_room, watch.name_count, sizeof(*watch.names));
        entry = &watch.names[watch.name_count++];
        entry->bytes = real_bytes;
        (void)snprintf(entry->name, sizeof(entry->name), "%s", name == NULL ? "" : name);
    }
    return real(context, name, packed, real_bytes, encrypted, position, checksum);
}

static cl_error_t witness_inspect(int fd, const char *type, const char **ancestors,
                                  size_t parent_bytes, const char *name, size_t bytes,
                                  const char *content, uint32_t level, uint32_t attributes,
                                  void *context)
{
    struct witness_layer *layer;

    (void)fd;
    (void)ancestors;
    (void)parent_bytes;
    (void)content;
    (void)attributes;
    (void)context;
    if (!watch.on)
        return CL_CLEAN;
    watch.layers =
        witness_room(watch.layers, &watch.layer_room, watch.layer_count, sizeof(*watch.layers));
    layer = &watch.layers[watch.layer_count++];
    layer->level = level;
    layer->bytes = bytes;
    (void)snprintf(layer->type, sizeof(layer->type), "%s", type == NULL ? "" : type);
    (void)snprintf(layer->name, sizeof(layer->name), "%s", name == NULL ? "" : name);
    return CL_CLEAN;
}

void witness_engine(struct cl_engine *engine)
{
    cl_engine_set_clcb_file_inspection(engine, witness_inspect);
}

void witness_begin(void)
{
    watch.on = true;
    watch.broken = false;
    watch.open = WITNESS_NONE;
    watch.bytes.length = 0;
    watch.buffer_count = 0;
    watch.layer_count = 0;
    watch.name_count = 0;
}

void witness_end(void)
{
    watch.on = false;
}

size_t witness_buffer_count(void)
{
    return watch.buffer_count;
}

const struct witness_buffer *witness_buffer(size_t index)
{
    return &watch.buffers[index];
}

const uint8_t *witness_bytes(const struct witness_buffer *buffer)
{
    return watch.bytes.data + buffer->start;
}

size_t witness_layer_count(void)
{
    return watch.layer_count;
}

const struct witness_layer *witness_layer(size_t index)
{
    return &watch.layers[index];
}

size_t witness_name_count(void)
{
    return watch.name_count;
}

const struct witness_name *witness_name(size_t index)
{
    return &watch.names[index];
}

bool witness_whole(void)
{
    return !watch.broken;
}
