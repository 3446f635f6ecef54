/* engine.h: the signature engine, which is libclamav. The only room that knows it.
 *
 * The parent opens the engine once and forks; each child sets a scratch directory of its own and
 * scans, one message at a time. Nothing here forks, sandboxes or talks to anyone.
 *
 * Threads: one a process. Memory: engine_open() allocates the engine (hundreds of MiB with the
 * official set), engine_close() frees it; message views are borrowed for the call. Not hot.
 *
 * Limits (struct engine_options): over any of them the message is unscannable, never clean.
 */
#ifndef SIGNATURES_SCANNER_ENGINE_H
#define SIGNATURES_SCANNER_ENGINE_H

#include "platform/config/config.h"
#include <stdbool.h>

#include "platform/link/channel.h"
#include "platform/link/link.h"
#include "platform/why.h"

#define ENGINE_LOADS_MAX      3u
#define ENGINE_SCAN_BYTES_MAX ((UINT64_C(1) << 31) - 3) /* beyond it libclamav looks away */

struct engine;

struct engine_options {
    const char *database;  /* file or directory of signatures */
    int64_t time_limit_ns; /* a message; 1 ms..1 h (scanner.time_limit) */
    uint64_t scan_bytes;   /* unpacked bytes of one message; 64 KiB..2 GiB-3 (scanner.scan_bytes) */
    unsigned files_max;    /* files in one message; 1..1,000,000 (scanner.files) */
    unsigned recursion_max; /* nesting depth; 1..100 (scanner.recursion) */
};

/* As configured; the database stays borrowed. Unpacked bytes are cut to ENGINE_SCAN_BYTES_MAX. */
void engine_options_set(struct engine_options *options, const struct config_scanner *scanner);

/* Loads and compiles the signatures (seconds, with the official set). STATUS_BAD_CONFIG with one
 * line in `why` when the database is missing, empty or broken or an option is out of range. */
enum status engine_open(struct engine **engine, const struct engine_options *options,
                        struct why *why) STATUS_CHECKED;

void engine_close(struct engine *engine);

/* "ClamAV 1.4.6/27813": library and daily version, or number of signatures when the database has
 * no version. Printable ASCII; borrowed. */
const char *engine_text(const struct engine *engine);

/* What is loaded, for those who rely on it. The database is read before and after it is loaded, and
 * loaded again (ENGINE_LOADS_MAX) when it is not the same: the digest is of what the engine has, or
 * all zero when that is not certain; engine_identity_why() then says why. */
const struct link_identity *engine_identity(const struct engine *engine);

/* Why the digest is all zero; empty when it is not. */
const char *engine_identity_why(const struct engine *engine);

/* Whether images get a fuzzy hash: some signature of the database may ask for it, or what is loaded
 * is not certain. Otherwise none is computed, which no verdict can depend on. */
bool engine_hashes_images(const struct engine *engine);

/* Whether a result may be called that: some signature is, or the library calls something so itself
 * (known.h). */
bool engine_knows_name(const struct engine *engine, const char *name);

/* Whether the signatures know the EICAR test file, by the names that the official set gives it. */
bool engine_knows_eicar(const struct engine *engine);

/* Bytes that the names take. */
size_t engine_names_bytes(const struct engine *engine);

/* Keeper: children forked from now on have no names to choose from. STATUS_SYSTEM. */
enum status engine_keep_names(const struct engine *engine) STATUS_CHECKED;

unsigned engine_signatures(const struct engine *engine);

/* Child, after the fork: temporary files go to `directory`, which no other process may use (two
 * children sharing one generate the same names, and overwrite each other's files). */
enum status engine_use_scratch(struct engine *engine, const char *directory) STATUS_CHECKED;

/* Child: from now on what the library says is dropped. About hostile input it would be the sender's
 * way into our log. */
void engine_quiet(void);

/* What one message may take (scanner.time_limit), and how much of it there is for the scans to
 * come. */
int64_t engine_time_limit(const struct engine *engine);
uint64_t engine_scan_bytes(const struct engine *engine); /* of one scan */
void engine_limit_time(struct engine *engine, int64_t ns);

/* Child: shows each file that the library looks at from now on, the outermost one too, as it was
 * taken out (not what it makes of it to match better). Borrowed for the call; the name is empty
 * when there is none. Null: nobody looks any more. */
typedef void engine_look(void *context, const uint8_t *bytes, size_t length, const char *name);
void engine_watch(struct engine *engine, engine_look *look, void *context);

/* Where a message is read: up to `count` bytes from `offset` into `to`; how many, 0 at the end, -1
 * when it cannot be. libclamav asks for what it looks at, often more than once. */
struct engine_input {
    off_t (*read)(void *context, void *to, size_t count, off_t offset);
    void *context;
    uint32_t size; /* bytes */
};

/* Scans; fills verdict, reason, name and cpu_ns of `result`. Always comes to a verdict. */
void engine_scan(struct engine *engine, const struct engine_input *input,
                 struct scan_result *result);

#endif
