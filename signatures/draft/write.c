/* write.c: a compiled draft as a file: header, tables, databases, hash sets, in this order. */
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "platform/check.h"
#include "platform/why.h"
#include "signatures/draft/draft.h"

#define WRITE_ALIGNMENT 64u

/* The file being written. After the first error nothing more is written. */
struct writer {
    FILE *file;
    EVP_MD_CTX *digest; /* of everything behind the header */
    uint64_t offset;
    const char *failed; /* what did not work; errno says why */
};

static void writer_bytes(struct writer *writer, const void *bytes, size_t length)
{
    if (writer->failed != NULL || length == 0)
        return;
    if (EVP_DigestUpdate(writer->digest, bytes, length) != 1 ||
        fwrite(bytes, 1, length, writer->file) != length)
        writer->failed = "write";
    writer->offset += length;
}

/* Writes zeros up to the next place where something may begin; returns it. */
static uint64_t writer_align(struct writer *writer)
{
    static const uint8_t zeros[WRITE_ALIGNMENT];

    writer_bytes(writer, zeros,
                 (WRITE_ALIGNMENT - writer->offset % WRITE_ALIGNMENT) % WRITE_ALIGNMENT);
    return writer->offset;
}

static struct prefilter_section writer_section(struct writer *writer, const void *entries,
                                               size_t size, size_t count)
{
    struct prefilter_section section = {.offset = writer_align(writer), .count = count};

    writer_bytes(writer, entries, size * count);
    return section;
}

/* Leaves as the file has them, and the groups of each. */
struct leaf_tables {
    struct prefilter_leaf *leaves;
    uint32_t *leaf_groups;
    struct prefilter_group *groups;
    size_t leaf_group_count;
};

static void leaf_tables_free(struct leaf_tables *tables)
{
    free(tables->leaves);
    free(tables->leaf_groups);
    free(tables->groups);
}

static void leaf_tables_fill(struct leaf_tables *tables, const struct draft *draft)
{
    uint32_t next = 0;

    for (size_t i = 0; i < draft->group_count; i++) {
        const struct draft_group *group = &draft->groups[i];

        tables->groups[i] = (struct prefilter_group){.signature = group->signature,
                                                     .domains = (uint16_t)group->domains,
                                                     .leaf_count = (uint16_t)group->leaf_count};
        for (unsigned k = 0; k < group->leaf_count; k++) {
            tables->groups[i].leaves[k] = group->leaves[k];
            tables->leaves[group->leaves[k]].domains |= group->domains;
            tables->leaves[group->leaves[k]].group_count++;
        }
    }
    for (size_t i = 0; i < draft->leaf_count; i++) {
        tables->leaves[i].first_group = next;
        tables->leaves[i].weak = i < draft->weak_count ? (uint32_t)i : UINT32_MAX;
        next += tables->leaves[i].group_count;
        tables->leaves[i].group_count = 0;
    }
    for (size_t i = 0; i < draft->group_count; i++) {
        for (unsigned k = 0; k < draft->groups[i].leaf_count; k++) {
            struct prefilter_leaf *leaf = &tables->leaves[draft->groups[i].leaves[k]];

            tables->leaf_groups[leaf->first_group + leaf->group_count++] = (uint32_t)i;
        }
    }
}

static bool leaf_tables_make(struct leaf_tables *tables, const struct draft *draft)
{
    tables->leaf_group_count = 0;
    for (size_t i = 0; i < draft->group_count; i++)
        tables->leaf_group_count += draft->groups[i].leaf_count;
    tables->leaves = calloc(draft->leaf_count + 1, sizeof(*tables->leaves));
    tables->leaf_groups = calloc(tables->leaf_group_count + 1, sizeof(*tables->leaf_groups));
    tables->groups = calloc(draft->group_count + 1, sizeof(*tables->groups));
    if (tables->leaves == NULL || tables->leaf_groups == NULL || tables->groups == NULL) {
        leaf_tables_free(tables);
        return false;
    }
    leaf_tables_fill(tables, draft);
    return true;
}

static enum status write_hashes(struct writer *writer, const struct draft *draft,
                                struct prefilter_header *header)
{
    for (unsigned i = 0; i < PREFILTER_DIGESTS; i++) {
        const struct hash_set *set = &draft->hashes[i];
        struct prefilter_hashes *hashes = &header->hashes[i];
        uint64_t *slots;
        enum status status = hash_set_slots(set, &slots, &hashes->slot_count, &hashes->count);

        if (status != STATUS_OK)
            return status;
        if (slots == NULL)
            continue;
        hashes->any_size = set->any_size;
        hashes->slots = writer_align(writer);
        writer_bytes(writer, slots, hashes->slot_count * sizeof(*slots));
        hashes->sizes = writer_align(writer);
        writer_bytes(writer, set->sizes, HASH_SET_SIZES_BYTES);
        free(slots);
    }
    return STATUS_OK;
}

static enum status write_tables(struct writer *writer, const struct draft *draft,
                                struct prefilter_header *header)
{
    struct leaf_tables tables;

    if (!leaf_tables_make(&tables, draft))
        return STATUS_NO_MEMORY;
    header->leaves =
        writer_section(writer, tables.leaves, sizeof(*tables.leaves), draft->leaf_count);
    header->leaf_groups = writer_section(writer, tables.leaf_groups, sizeof(*tables.leaf_groups),
                                         tables.leaf_group_count);
    header->groups =
        writer_section(writer, tables.groups, sizeof(*tables.groups), draft->group_count);
    leaf_tables_free(&tables);
    header->signatures = writer_section(writer, draft->signatures, sizeof(*draft->signatures),
                                        draft->signature_count);
    header->always =
        writer_section(writer, draft->always, sizeof(*draft->always), draft->always_count);
    header->magics =
        writer_section(writer, draft->magics, sizeof(*draft->magics), draft->magic_count);
    header->strings = writer_section(writer, draft->strings.bytes, 1, draft->strings.length);
    writer_bytes(writer, "", 1); /* an end, also when there is no string */
    header->strings.count++;
    header->squeezed = writer_section(writer, draft->squeezed.bytes, 1, draft->squeezed.length);
    header->exact = writer_section(writer, draft->exact.bytes, 1, draft->exact.length);
    header->names = writer_section(writer, draft->names.bytes, 1, draft->names.length);
    return write_hashes(writer, draft, header);
}

/* Everything into an open file; the header last, when its numbers are known. */
static enum status write_file(struct writer *writer, const struct draft *draft,
                              const struct draft_identity *identity)
{
    struct prefilter_header header = {.magic = PREFILTER_MAGIC,
                                      .format = PREFILTER_FORMAT,
                                      .profile = PREFILTER_PROFILE,
                                      .weak_count = draft->weak_count,
                                      .image_fuzzy = draft->image_fuzzy};
    enum status status;

    if (strlen(identity->library) >= sizeof(header.library))
        return STATUS_BAD_ARGUMENT;
    memcpy(header.library, identity->library, strlen(identity->library));
    memcpy(header.database, identity->database, sizeof(header.database));
    if (fwrite(&header, sizeof(header), 1, writer->file) != 1)
        writer->failed = "write";
    writer->offset = sizeof(header);
    if (EVP_DigestInit_ex(writer->digest, EVP_sha256(), NULL) != 1)
        return STATUS_NO_MEMORY;
    status = write_tables(writer, draft, &header);
    if (status != STATUS_OK)
        return status;
    header.bytes = writer->offset;
    if (EVP_DigestFinal_ex(writer->digest, header.contents, NULL) != 1)
        return STATUS_NO_MEMORY;
    if (writer->failed == NULL &&
        (fseek(writer->file, 0, SEEK_SET) != 0 ||
         fwrite(&header, sizeof(header), 1, writer->file) != 1 || fflush(writer->file) != 0))
        writer->failed = "write";
    if (writer->failed == NULL && fsync(fileno(writer->file)) != 0)
        writer->failed = "fsync";
    if (writer->failed == NULL && fchmod(fileno(writer->file), 0644) != 0)
        writer->failed = "chmod";
    return writer->failed == NULL ? STATUS_OK : STATUS_SYSTEM;
}

/* The directory has to know of the new name before we say that it is there. */
static bool write_sync_directory(const char *path)
{
    char copy[PATH_MAX];
    int directory;
    bool synced;

    memcpy(copy, path, strlen(path) + 1);
    directory = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (directory < 0)
        return false;
    synced = fsync(directory) == 0;
    (void)close(directory);
    return synced;
}

static enum status write_temporary(const struct draft *draft, const struct draft_identity *identity,
                                   int descriptor, const char **failed)
{
    struct writer writer = {.file = fdopen(descriptor, "wb"), .digest = EVP_MD_CTX_new()};
    enum status status = STATUS_NO_MEMORY;

    if (writer.file != NULL && writer.digest != NULL)
        status = write_file(&writer, draft, identity);
    EVP_MD_CTX_free(writer.digest);
    if (writer.file == NULL) {
        (void)close(descriptor);
    } else {
        int error = errno;

        if (fclose(writer.file) != 0 && status == STATUS_OK) {
            writer.failed = "close";
            status = STATUS_SYSTEM;
        } else {
            errno = error;
        }
    }
    *failed = writer.failed;
    return status;
}

enum status draft_write(const struct draft *draft, const struct draft_identity *identity,
                        const char *path, struct why *why)
{
    char temporary[PATH_MAX];
    const char *failed = NULL;
    int length = snprintf(temporary, sizeof(temporary), "%s.XXXXXX", path);
    int descriptor;
    enum status status;

    if (length < 0 || (size_t)length >= sizeof(temporary)) {
        why_set(why, "%s: the path is too long", path);
        return STATUS_NO_SPACE;
    }
    descriptor = mkostemp(temporary, O_CLOEXEC);
    if (descriptor < 0) {
        why_set(why, "%s: %s", temporary, strerror(errno));
        return STATUS_SYSTEM;
    }
    status = write_temporary(draft, identity, descriptor, &failed);
    if (status == STATUS_OK && (failed = "rename", rename(temporary, path) != 0))
        status = STATUS_SYSTEM;
    if (status == STATUS_OK) {
        if (write_sync_directory(path))
            return STATUS_OK;
        why_set(why, "%s: fsync of its directory: %s", path, strerror(errno));
        return STATUS_SYSTEM;
    }
    if (status == STATUS_SYSTEM)
        why_set(why, "%s: %s: %s", path, failed, strerror(errno));
    else
        why_set(why, "%s: %s", path, status_text(status));
    (void)unlink(temporary);
    return status;
}
