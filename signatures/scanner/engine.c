#include "signatures/scanner/engine.h"

#include <clamav.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "platform/clock.h"
#include "platform/why.h"
#include "signatures/prefilter/digest.h"
#include "signatures/read/source.h"
#include "signatures/scanner/known.h"
#include "signatures/scanner/shortage.h"
#include "signatures/scanner/verdict.h"

#define ENGINE_SCAN_BYTES_MIN 65536u
#define ENGINE_TIME_MAX_NS    (3600 * CLOCK_NS_PER_SECOND)
#define ENGINE_FILES_MAX      1000000u
#define ENGINE_RECURSION_MAX  100u
#define ENGINE_BYTECODE_MS    10000

struct engine {
    struct cl_engine *library;
    struct cl_scan_options scan;
    int64_t time_limit_ns;
    int64_t time_left_ns; /* of it, for the next scan */
    uint64_t scan_bytes;
    unsigned signatures;
    char text[128];
    struct link_identity identity;
    char identity_why[128];
    engine_look *look; /* may be null */
    void *look_context;
    struct known names;
    bool image_hashes; /* some signature may ask for fuzzy hashes of images */
};

/* Where the library's own words go while it loads: the last one explains a failure. */
static char engine_said[256];

static void engine_message(enum cl_msg severity, const char *whole, const char *message,
                           void *context)
{
    (void)whole;
    (void)context;
    if (severity != CL_MSG_ERROR)
        return;
    verdict_printable(engine_said, sizeof(engine_said), message);
    for (size_t length = strlen(engine_said);
         length > 0 && (engine_said[length - 1] == '?' || engine_said[length - 1] == ' ');)
        engine_said[--length] = '\0'; /* the library ends lines itself */
}

static void engine_message_dropped(enum cl_msg severity, const char *whole, const char *message,
                                   void *context)
{
    (void)severity;
    (void)whole;
    (void)message;
    (void)context;
}

void engine_quiet(void)
{
    cl_set_clcb_msg(engine_message_dropped);
}

static enum status engine_options_check(const struct engine_options *options, struct why *why)
{
    const char *wrong = NULL;

    if (options->time_limit_ns < CLOCK_NS_PER_MS || options->time_limit_ns > ENGINE_TIME_MAX_NS)
        wrong = "time limit must be 1 ms to 1 h";
    else if (options->scan_bytes < ENGINE_SCAN_BYTES_MIN ||
             options->scan_bytes > ENGINE_SCAN_BYTES_MAX)
        wrong = "scan bytes must be 64 KiB to 2 GiB - 3";
    else if (options->files_max < 1 || options->files_max > ENGINE_FILES_MAX)
        wrong = "files must be 1 to 1000000";
    else if (options->recursion_max < 1 || options->recursion_max > ENGINE_RECURSION_MAX)
        wrong = "recursion must be 1 to 100";
    if (wrong == NULL)
        return STATUS_OK;
    why_set(why, "%s", wrong);
    return STATUS_BAD_CONFIG;
}

/* A file size limit below the scan size would cut a long archive member short and say nothing; so
 * would the smaller limits of single parsers. All of them are the scan size, which does say so. */
static cl_error_t engine_limit(struct cl_engine *library, const struct engine_options *options)
{
    const long long bytes = (long long)options->scan_bytes;
    const struct {
        enum cl_engine_field field;
        long long value;
    } settings[] = {
        {CL_ENGINE_MAX_SCANSIZE, bytes},
        {CL_ENGINE_MAX_FILESIZE, bytes},
        {CL_ENGINE_MAX_EMBEDDEDPE, bytes},
        {CL_ENGINE_MAX_HTMLNORMALIZE, bytes},
        {CL_ENGINE_MAX_HTMLNOTAGS, bytes},
        {CL_ENGINE_MAX_SCRIPTNORMALIZE, bytes},
        {CL_ENGINE_MAX_ZIPTYPERCG, bytes},
        {CL_ENGINE_PCRE_MAX_FILESIZE, bytes},
        {CL_ENGINE_MAX_FILES, options->files_max},
        {CL_ENGINE_MAX_RECURSION, options->recursion_max},
        {CL_ENGINE_MAX_SCANTIME, options->time_limit_ns / CLOCK_NS_PER_MS},
        {CL_ENGINE_BYTECODE_TIMEOUT, ENGINE_BYTECODE_MS},
        {CL_ENGINE_DISABLE_CACHE, 1}, /* keyed by MD5, for which collisions can be made */
    };
    cl_error_t result = CL_SUCCESS;

    for (size_t i = 0; i < sizeof(settings) / sizeof(settings[0]) && result == CL_SUCCESS; i++)
        result = cl_engine_set_num(library, settings[i].field, settings[i].value);
    return result;
}

/* Once. */
static enum status engine_load_now(struct engine *engine, const struct engine_options *options,
                                   struct why *why)
{
    cl_error_t result = engine_limit(engine->library, options);

    engine->signatures = 0;
    if (result != CL_SUCCESS) {
        why_set(why, "engine limits: %s", cl_strerror(result));
        return STATUS_BAD_CONFIG;
    }
    if (access(options->database, R_OK) != 0) {
        why_set(why, "signature database %s: %s", options->database, strerror(errno));
        return STATUS_BAD_CONFIG;
    }
    engine_said[0] = '\0';
    result = cl_load(options->database, engine->library, &engine->signatures, CL_DB_STDOPT);
    if (result == CL_SUCCESS && engine->signatures > 0)
        result = cl_engine_compile(engine->library);
    if (result != CL_SUCCESS) {
        why_set(why, "signature database %s: %s%s%s", options->database, cl_strerror(result),
                engine_said[0] != '\0' ? ": " : "", engine_said);
        return STATUS_BAD_CONFIG;
    }
    if (engine->signatures == 0) {
        why_set(why, "signature database %s holds no signatures", options->database);
        return STATUS_BAD_CONFIG;
    }
    return STATUS_OK;
}

void engine_options_set(struct engine_options *options, const struct config_scanner *scanner)
{
    *options = (struct engine_options){
        .database = scanner->database,
        .time_limit_ns = scanner->time_limit_ns,
        .scan_bytes = scanner->scan_bytes_max < ENGINE_SCAN_BYTES_MAX ? scanner->scan_bytes_max
                                                                      : ENGINE_SCAN_BYTES_MAX,
        .files_max = scanner->files_max,
        .recursion_max = scanner->recursion_max,
    };
}

/* The library asks whether to load it: yes. In answers it adds a word to names that are not signed;
 * some it gives with it already. */
static int engine_signature(const char *type, const char *name, unsigned custom, void *context)
{
    static const char word[] = ".UNOFFICIAL";
    struct engine *engine = context;
    char whole[SCAN_NAME_BYTES + sizeof(word)];
    size_t length = name != NULL ? strlen(name) : 0;
    bool said = length >= sizeof(word) && strcmp(name + length - (sizeof(word) - 1), word) == 0;

    (void)type;
    if (length == 0)
        return 0;
    (void)snprintf(whole, sizeof(whole), "%.*s%s", (int)SCAN_NAME_BYTES, name,
                   custom != 0 && !said ? word : "");
    known_add(&engine->names, whole);
    return 0;
}

static enum status engine_new(struct engine *engine, struct why *why)
{
    if (engine->library != NULL)
        (void)cl_engine_free(engine->library);
    known_fini(&engine->names);
    engine->library = cl_engine_new();
    if (engine->library != NULL) {
        cl_engine_set_clcb_sigload(engine->library, engine_signature, engine);
        return STATUS_OK;
    }
    why_set(why, "libclamav does not start");
    return STATUS_NO_MEMORY;
}

/* A fuzzy hash is computed of every picture, which is most of what a picture costs, whether or not
 * a signature asks for it: then it has to name it. Where that is not certain, it is computed. */
static bool engine_asks_for_image_hashes(const char *database)
{
    bool asks = true;
    struct why why;

    return source_mentions(database, "fuzzy_img#", &asks, &why) != STATUS_OK || asks;
}

/* Until the database is the same before and after, so that what it is called is what was loaded.
 * The last engine is used whatever happens: mail is scanned without knowing that name. */
static enum status engine_load(struct engine *engine, const struct engine_options *options,
                               struct why *why)
{
    uint8_t before[PREFILTER_DIGEST_BYTES];
    uint8_t after[PREFILTER_DIGEST_BYTES];
    enum status known = STATUS_AGAIN;
    enum status status = STATUS_OK;

    for (unsigned i = 0; i < ENGINE_LOADS_MAX && known == STATUS_AGAIN; i++) {
        status = engine_new(engine, why);
        if (status != STATUS_OK)
            return status;
        known = database_digest(options->database, before);
        status = engine_load_now(engine, options, why);
        engine->image_hashes = engine_asks_for_image_hashes(options->database);
        if (known == STATUS_OK)
            known = database_digest(options->database, after);
        if (known == STATUS_OK && memcmp(before, after, sizeof(before)) != 0)
            known = STATUS_AGAIN;
    }
    if (known == STATUS_OK)
        memcpy(engine->identity.database, before, sizeof(before));
    else
        (void)snprintf(engine->identity_why, sizeof(engine->identity_why), "%s",
                       known == STATUS_AGAIN ? "it kept changing while it was loaded"
                                             : status_text(known));
    engine->image_hashes = engine->image_hashes || known != STATUS_OK;
    if (status == STATUS_OK && known_seal(&engine->names) != STATUS_OK) {
        why_set(why, "no memory for the names of the signatures");
        return STATUS_NO_MEMORY;
    }
    return status;
}

static void engine_identify(struct engine *engine, const struct engine_options *options)
{
    struct link_identity *identity = &engine->identity;

    identity->profile = PREFILTER_PROFILE;
    identity->recursion_max = options->recursion_max;
    identity->files_max = options->files_max;
    identity->scan_bytes = options->scan_bytes;
    if (strlen(cl_retver()) < sizeof(identity->library))
        verdict_printable(identity->library, sizeof(identity->library), cl_retver());
}

static void engine_describe(struct engine *engine)
{
    char whole[128];
    int failed = 0;
    long long version = cl_engine_get_num(engine->library, CL_ENGINE_DB_VERSION, &failed);

    if (failed == 0 && version > 0)
        (void)snprintf(whole, sizeof(whole), "ClamAV %s/%lld", cl_retver(), version);
    else
        (void)snprintf(whole, sizeof(whole), "ClamAV %s/%u", cl_retver(), engine->signatures);
    verdict_printable(engine->text, sizeof(engine->text), whole);
}

enum status engine_open(struct engine **engine, const struct engine_options *options,
                        struct why *why)
{
    struct engine *made;
    enum status status = engine_options_check(options, why);

    *engine = NULL;
    if (status != STATUS_OK)
        return status;
    cl_set_clcb_msg(engine_message);
    made = calloc(1, sizeof(*made));
    if (made == NULL || cl_init(CL_INIT_DEFAULT) != CL_SUCCESS) {
        why_set(why, "libclamav does not start");
        free(made);
        return STATUS_NO_MEMORY;
    }
    made->time_limit_ns = options->time_limit_ns;
    made->time_left_ns = options->time_limit_ns;
    made->scan_bytes = options->scan_bytes;
    made->scan = (struct cl_scan_options){
        .general = CL_SCAN_GENERAL_HEURISTICS,
        .parse = ~0u,
        .heuristic = CL_SCAN_HEURISTIC_EXCEEDS_MAX | CL_SCAN_HEURISTIC_ENCRYPTED_ARCHIVE |
                     CL_SCAN_HEURISTIC_ENCRYPTED_DOC,
    };
    status = engine_load(made, options, why);
    if (status != STATUS_OK) {
        engine_close(made);
        return status;
    }
    if (!made->image_hashes)
        made->scan.parse &= ~(unsigned)CL_SCAN_PARSE_IMAGE_FUZZY_HASH;
    engine_describe(made);
    engine_identify(made, options);
    *engine = made;
    return STATUS_OK;
}

void engine_close(struct engine *engine)
{
    if (engine == NULL)
        return;
    if (engine->library != NULL)
        (void)cl_engine_free(engine->library);
    known_fini(&engine->names);
    free(engine);
}

const char *engine_text(const struct engine *engine)
{
    return engine->text;
}

const struct link_identity *engine_identity(const struct engine *engine)
{
    return &engine->identity;
}

const char *engine_identity_why(const struct engine *engine)
{
    return engine->identity_why;
}

bool engine_hashes_images(const struct engine *engine)
{
    return engine->image_hashes;
}

bool engine_knows_name(const struct engine *engine, const char *name)
{
    return known_has(&engine->names, name);
}

bool engine_knows_eicar(const struct engine *engine)
{
    return engine->names.eicar;
}

size_t engine_names_bytes(const struct engine *engine)
{
    return known_bytes(&engine->names);
}

enum status engine_keep_names(const struct engine *engine)
{
    return known_keep_from_children(&engine->names) ? STATUS_OK : STATUS_SYSTEM;
}

unsigned engine_signatures(const struct engine *engine)
{
    return engine->signatures;
}

enum status engine_use_scratch(struct engine *engine, const char *directory)
{
    return cl_engine_set_str(engine->library, CL_ENGINE_TMPDIR, directory) == CL_SUCCESS
               ? STATUS_OK
               : STATUS_NO_MEMORY;
}

/* libclamav passes over what it could not do in many places and still says clean; what can be seen
 * from outside is held against such an answer. */
static void engine_doubt(const struct engine *engine, int64_t elapsed_ns,
                         struct scan_result *result)
{
    const char *shortage = shortage_seen();

    if (result->verdict != VERDICT_CLEAN)
        return;
    if (elapsed_ns >= engine->time_left_ns)
        verdict_unscannable(result, UNSCANNABLE_TIME, "time limit passed during the scan");
    else if (shortage != NULL)
        verdict_unscannable(result, UNSCANNABLE_LIMIT, shortage);
}

int64_t engine_time_limit(const struct engine *engine)
{
    return engine->time_limit_ns;
}

uint64_t engine_scan_bytes(const struct engine *engine)
{
    return engine->scan_bytes;
}

void engine_limit_time(struct engine *engine, int64_t ns)
{
    engine->time_left_ns = ns;
    (void)cl_engine_set_num(engine->library, CL_ENGINE_MAX_SCANTIME,
                            ns / CLOCK_NS_PER_MS > 0 ? ns / CLOCK_NS_PER_MS : 1);
}

static cl_error_t engine_shows(int fd, const char *type, const char **ancestors, size_t parent_size,
                               const char *name, size_t size, const char *bytes, uint32_t level,
                               uint32_t attributes, void *context)
{
    const struct engine *engine = context;

    (void)fd;
    (void)type;
    (void)ancestors;
    (void)parent_size;
    (void)level;
    if (engine != NULL && engine->look != NULL && bytes != NULL &&
        (attributes & LAYER_ATTRIBUTES_NORMALIZED) == 0)
        engine->look(engine->look_context, (const uint8_t *)bytes, size, name != NULL ? name : "");
    return CL_CLEAN;
}

void engine_watch(struct engine *engine, engine_look *look, void *context)
{
    engine->look = look;
    engine->look_context = context;
    cl_engine_set_clcb_file_inspection(engine->library, engine_shows);
}

void engine_scan(struct engine *engine, const struct engine_input *input,
                 struct scan_result *result)
{
    int64_t started_ns = clock_monotonic_ns();
    int64_t started_cpu_ns = clock_read_ns(CLOCK_PROCESS_CPUTIME_ID);
    const char *virus = NULL;
    unsigned long scanned = 0;
    cl_fmap_t *map;
    cl_error_t code;

    if (input->size > engine->scan_bytes) { /* here the library answers without a reason */
        verdict_unscannable(result, UNSCANNABLE_LIMIT, "message is larger than the scan size");
        return;
    }
    shortage_forget();
    map = cl_fmap_open_handle(input->context, 0, input->size, input->read, 1);
    if (map == NULL) {
        verdict_unscannable(result,
                            shortage_seen() != NULL ? UNSCANNABLE_LIMIT : UNSCANNABLE_ENGINE_ERROR,
                            "message could not be mapped");
    } else {
        code = cl_scanmap_callback(map, NULL, &virus, &scanned, engine->library, &engine->scan,
                                   engine);
        verdict_from_engine(code, virus, result);
        cl_fmap_close(map);
        engine_doubt(engine, clock_monotonic_ns() - started_ns, result);
    }
    result->cpu_ns = (uint64_t)(clock_read_ns(CLOCK_PROCESS_CPUTIME_ID) - started_cpu_ns);
}
