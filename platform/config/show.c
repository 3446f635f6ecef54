#include "platform/config/show.h"

#include <string.h>

#include "platform/config/read.h"
#include "platform/config/schema.h"
#include "platform/config/values.h"

/* Where on the page: blanks in front of keys, and whether a dash of a list is still to come. */
struct page {
    FILE *to;
    unsigned indent;
    bool dash;
};

/* Puts what belongs in front of a key. */
static void show_start_line(struct page *page)
{
    fprintf(page->to, "%*s%s", (int)(page->dash ? page->indent - 2 : page->indent), "",
            page->dash ? "- " : "");
    page->dash = false;
}

/* In quotes where YAML would read something else. */
static void show_put_text(struct page *page, const char *text)
{
    if (text[0] && !strpbrk(text, ":#{}[]&*!|>'\"%@`?=~") && text[0] != '-') {
        fputs(text, page->to);
        return;
    }
    fputc('\'', page->to);
    for (; *text; text++) {
        if (*text == '\'')
            fputc('\'', page->to);
        fputc(*text, page->to);
    }
    fputc('\'', page->to);
}

static void show_group(struct page *page, const struct schema_group *group, const void *base);

/* The one word that stands for the whole group, if there is one. */
static bool show_group_word(const struct schema_group *group, const void *base,
                            char word[VALUES_TEXT_BYTES])
{
    for (unsigned i = 0; group->word && i < group->count; i++) {
        const struct schema_key *key = &group->keys[i];
        char text[VALUES_TEXT_BYTES];
        bool one = key->type == SCHEMA_GROUP
                       ? show_group_word(key->group, (const char *)base + key->offset, text)
                       : values_format(key, base, text);

        if (!one || (i > 0 && strcmp(text, word) != 0))
            return false;
        memcpy(word, text, VALUES_TEXT_BYTES);
    }
    return group->word;
}

static void show_inner_group(struct page *page, const struct schema_key *key, const void *base)
{
    const void *member = (const char *)base + key->offset;
    char word[VALUES_TEXT_BYTES];

    show_start_line(page);
    if (show_group_word(key->group, member, word)) {
        fprintf(page->to, "%s: %s\n", key->name, word);
        return;
    }
    fprintf(page->to, "%s:\n", key->name);
    page->indent += 2;
    show_group(page, key->group, member);
    page->indent -= 2;
}

static void show_list(struct page *page, const struct schema_key *list, const void *base)
{
    const char *entry = read_entries(list, base);
    unsigned count = read_count(list, base);

    if (list->direct && count == 1) {
        show_group(page, list->group, entry);
        return;
    }
    if (count == 0)
        return;
    show_start_line(page);
    fprintf(page->to, "%s:\n", list->name);
    page->indent += 4;
    for (unsigned i = 0; i < count; i++, entry += list->size) {
        page->dash = true;
        if (list->group) {
            show_group(page, list->group, entry);
        } else {
            show_start_line(page);
            show_put_text(page, entry);
            fputc('\n', page->to);
        }
    }
    page->indent -= 4;
}

static void show_group(struct page *page, const struct schema_group *group, const void *base)
{
    for (unsigned i = 0; i < group->count; i++) {
        const struct schema_key *key = &group->keys[i];
        char text[VALUES_TEXT_BYTES];

        if (key->type == SCHEMA_GROUP) {
            show_inner_group(page, key, base);
        } else if (key->type == SCHEMA_LIST) {
            show_list(page, key, base);
        } else if (values_format(key, base, text)) {
            show_start_line(page);
            fprintf(page->to, "%s: ", key->name);
            show_put_text(page, text);
            fputc('\n', page->to);
        }
    }
}

void config_show(const struct config *config, FILE *to)
{
    struct page page = {.to = to};

    show_group(&page, &schema_file, config);
}

static void show_default(struct page *page, const struct schema_key *key)
{
    char wanted[VALUES_WANTED_BYTES];

    values_wanted(key, wanted);
    show_start_line(page);
    fprintf(page->to, "%s: %s%s# %s%s\n", key->name, key->fallback ? key->fallback : "",
            key->fallback ? " " : "", key->mandatory ? "mandatory; " : "", wanted);
}

static void show_group_defaults(struct page *page, const struct schema_group *group)
{
    for (unsigned i = 0; i < group->count; i++) {
        const struct schema_key *key = &group->keys[i];
        unsigned deeper = key->type == SCHEMA_LIST ? 4 : 2;
        char wanted[VALUES_WANTED_BYTES];

        if (!key->group && !key->entry) {
            show_default(page, key);
            continue;
        }
        values_wanted(key, wanted);
        show_start_line(page);
        fprintf(page->to, "%s:", key->name);
        if (key->type == SCHEMA_LIST)
            fprintf(page->to, " # %s%s", key->mandatory ? "mandatory; " : "", wanted);
        fputc('\n', page->to);
        page->indent += deeper;
        page->dash = key->type == SCHEMA_LIST;
        if (key->group) {
            show_group_defaults(page, key->group);
        } else {
            values_wanted(key->entry, wanted);
            show_start_line(page);
            fprintf(page->to, "# %s\n", wanted);
        }
        page->indent -= deeper;
    }
}

void config_show_defaults(FILE *to)
{
    struct page page = {.to = to};

    show_group_defaults(&page, &schema_file);
}
