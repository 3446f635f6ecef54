/* inspect.h: every cause, and where fragments, digests and names are found. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <openssl/evp.h>

#include "tests/unit/inspect/rig.h"

static void test_settled(void **state)
{
    struct inspect_result result;
    struct rig rig;

    (void)state;
    rig_begin(&rig);
    rig_add(&rig, "Test.Vile", PREFILTER_RAW | PREFILTER_TEXT | PREFILTER_HTML, 1, FRAGMENT);
    rig_add_exact(&rig, "Test.Octets", PREFILTER_BINARY | PREFILTER_IMAGE, FRAGMENT,
                  strlen(FRAGMENT));
    rig_open(&rig);
    mail_of_all_kinds("hello");
    result = rig_run_mail(&rig);
    assert_int_equal(result.decision, INSPECT_SETTLED);
    assert_int_equal(result.cause, INSPECT_CAUSE_NONE);
    assert_int_equal(result.part_count, 7);
    assert_int_equal(result.bytes, sample.length);
    assert_string_equal(result.parts[0].type, "CL_TYPE_TEXT_ASCII");
    assert_string_equal(result.parts[3].type, "CL_TYPE_HTML");
    assert_string_equal(result.parts[5].type, "CL_TYPE_BINARY_DATA");
    assert_string_equal(result.parts[6].type, "CL_TYPE_PNG");
    assert_true(result.searched_bytes > 0);
    rig_close(&rig);
}

static void test_structure(void **state)
{
    static const char *const names[] = {"none", "gate", "type",  "signature",   "always",
                                        "hash", "name", "limit", "no prefilter"};
    struct rig rig;

    (void)state;
    for (unsigned i = 0; i < INSPECT_CAUSE_COUNT; i++)
        assert_string_equal(inspect_cause_text(i), names[i]);
    rig_begin(&rig);
    rig_open(&rig);
    mail_of_text(PLAIN EIGHT, "hello");
    rig_expect_settled(&rig);
    sample.length = 0;
    mail_text(&sample, "Subject: none of ours\r\n\r\nhello\r\n");
    rig_expect(&rig, INSPECT_SENT_ON, "gate: no Received field in front");
    mail_of_text(PLAIN PLAIN, "hello");
    rig_expect(&rig, INSPECT_SENT_ON, "gate: MIME field twice");
    mail_of_text(PLAIN QUOTED, "hel=zzlo");
    rig_expect(&rig, INSPECT_SENT_ON, "gate: quoted-printable that is not canonical");
    mail_multipart(&sample);
    mail_part(&sample, HTML EIGHT, "<html><script>1</script></html>", 31);
    mail_end(&sample);
    rig_expect(&rig, INSPECT_SENT_ON, "gate: HTML with a script");
    rig_close(&rig);
}

/* What is malformed is the reason, though a doubt came first, and whatever its kind was. */
static void test_malformed_wins(void **state)
{
    struct rig rig;

    (void)state;
    rig_begin(&rig);
    rig_add(&rig, "Test.Vile", PREFILTER_RAW, 1, FRAGMENT);
    rig_open(&rig);
    mail_multipart(&sample);
    mail_part_base64(&sample, OCTETS, "%PDF-1.4 and more", 17);
    mail_part(&sample, PLAIN EIGHT, FRAGMENT, strlen(FRAGMENT));
    mail_end(&sample);
    rig_expect(&rig, INSPECT_SENT_ON, "type: CL_TYPE_PDF");
    mail_multipart(&sample);
    mail_part_base64(&sample, OCTETS, "%PDF-1.4 and more", 17);
    mail_part(&sample, PLAIN EIGHT, FRAGMENT, strlen(FRAGMENT));
    mail_part(&sample, PLAIN PLAIN, "hello", 5);
    mail_end(&sample);
    rig_expect(&rig, INSPECT_SENT_ON, "gate: MIME field twice");
    for (size_t piece = 1; piece < 200; piece += 13)
        assert_false(rig_run(&rig, sample.bytes, sample.length, piece).clear);
    rig_close(&rig);
}

static bool clear(struct rig *rig)
{
    return rig_run(rig, sample.bytes, sample.length, 100).clear;
}

/* Whatever sends it on: only what every reader takes for the same is clear, and only to its end. */
static void test_clear_structure(void **state)
{
    struct rig rig;

    (void)state;
    rig_begin(&rig);
    rig_add(&rig, "Test.Vile", PREFILTER_RAW, 1, FRAGMENT);
    rig_open(&rig);
    mail_of_text(PLAIN EIGHT, "hello");
    assert_true(clear(&rig));
    mail_of_text(PLAIN EIGHT, FRAGMENT);
    assert_true(clear(&rig));
    mail_of_text(PLAIN EIGHT EIGHT, FRAGMENT);
    assert_false(clear(&rig));
    mail_of_text(PLAIN QUOTED, "hel=zzlo");
    assert_false(clear(&rig));
    mail_multipart(&sample);
    mail_part_base64(&sample, OCTETS, "%PDF-1.4 and more", 17);
    mail_part(&sample, PLAIN EIGHT, FRAGMENT, strlen(FRAGMENT));
    mail_end(&sample);
    assert_true(clear(&rig));
    mail_multipart(&sample);
    mail_part_base64(&sample, OCTETS, "%PDF-1.4 and more", 17);
    mail_part(&sample, "Content-Type: message/rfc822\r\n", "Subject: x\r\n\r\nhello\r\n", 21);
    mail_end(&sample);
    assert_false(clear(&rig));
    sample.length = 0;
    mail_text(&sample, "Subject: none of ours\r\n\r\nhello\r\n");
    assert_false(clear(&rig));
    rig_close(&rig);
}

/* What libclamav may not open is sent on, though its form is clear. */
static void test_closed(void **state)
{
    struct rig rig;

    (void)state;
    rig_begin(&rig);
    rig_open(&rig);
    mail_multipart(&sample);
    mail_part_base64(&sample, OCTETS, "\x30\x80\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x03", 13);
    mail_end(&sample);
    rig_expect(&rig, INSPECT_SENT_ON, "type: content that libclamav may not open");
    assert_true(clear(&rig));
    mail_of_text(PLAIN EIGHT, "Hello,\r\n-----BEGIN PGP MESSAGE-----\r\n");
    rig_expect(&rig, INSPECT_SENT_ON, "gate: OpenPGP or CMS in a text");
    mail_multipart(&sample);
    mail_part(&sample, OCTETS "Content-Disposition: inline; filename=a.br\r\n", "\x0b\x02", 2);
    mail_end(&sample);
    rig_expect(&rig, INSPECT_SENT_ON, "name: brotli, by its name");
    rig_close(&rig);
}

static void test_limits(void **state)
{
    struct rig rig;

    (void)state;
    rig_begin(&rig);
    rig.settings.message_bytes_max = 2000;
    rig.settings.parts_max = 3;
    rig_open(&rig);
    mail_multipart(&sample);
    for (unsigned i = 0; i < 3; i++)
        mail_part(&sample, PLAIN EIGHT, "hello there", 11);
    mail_end(&sample);
    rig_expect_settled(&rig);
    mail_multipart(&sample);
    for (unsigned i = 0; i < 4; i++)
        mail_part(&sample, PLAIN EIGHT, "hello there", 11);
    mail_end(&sample);
    rig_expect(&rig, INSPECT_SENT_ON, "limit: number of parts");
    mail_of_text(PLAIN EIGHT, "hello");
    while (sample.length < 1990)
        mail_text(&sample, "x\r\n");
    while (sample.length < 1998)
        mail_text(&sample, "y");
    mail_text(&sample, "\r\n");
    rig_expect_settled(&rig);
    mail_text(&sample, "\r\n");
    rig_expect(&rig, INSPECT_SENT_ON, "limit: size");
    rig_close(&rig);
}

/* Signatures without a formula, for each domain; and fuzzy image hashes. */
static void test_always(void **state)
{
    static const uint32_t domains[] = {PREFILTER_RAW, PREFILTER_TEXT, PREFILTER_HTML,
                                       PREFILTER_IMAGE, PREFILTER_BINARY};

    (void)state;
    for (unsigned i = 0; i < 6; i++) {
        const char *const want = i < 5 ? "always: Test.Always" : "always: fuzzy image hashes";
        uint32_t signature;
        struct rig rig;

        rig_begin(&rig);
        if (i < 5) {
            assert_int_equal(
                draft_add_signature(&rig.draft, "Test.Always", PREFILTER_SIGNATURE, &signature),
                STATUS_OK);
            assert_int_equal(draft_add_always(&rig.draft, signature, domains[i]), STATUS_OK);
        } else {
            rig.draft.image_fuzzy = true;
        }
        rig_open(&rig);
        mail_of_all_kinds("hello");
        rig_expect(&rig, INSPECT_SENT_ON, want);
        mail_of_text(OCTETS EIGHT, "hello you"); /* text, whatever it is called */
        if (i < 2)
            rig_expect(&rig, INSPECT_SENT_ON, want);
        else
            rig_expect_settled(&rig);
        rig_close(&rig);
    }
}

/* A fragment is found wherever libclamav would match it, and its absence is no doubt. */
static void test_planted(void **state)
{
    char entity[] = "<html><p>vile&#102;rag<b></b>ment</p></html>";
    char body[512];
    struct rig rig;

    (void)state;
    rig_begin(&rig);
    rig_add(&rig, "Test.Vile", PREFILTER_ALL & ~(PREFILTER_BINARY | PREFILTER_IMAGE), 1, FRAGMENT);
    rig_add_exact(&rig, "Test.Octets", PREFILTER_BINARY, "vile\001ctets", 10);
    rig_open(&rig);
    mail_of_text("X-Field: " FRAGMENT "\r\n" PLAIN, "hello");
    rig_expect(&rig, INSPECT_SENT_ON, "signature: Test.Vile");
    mail_of_text(PLAIN, "a Vile\r\n\t Fragment, this");
    rig_expect(&rig, INSPECT_SENT_ON, "signature: Test.Vile");
    mail_of_text(PLAIN SEVEN, "a " FRAGMENT);
    rig_expect(&rig, INSPECT_SENT_ON, "signature: Test.Vile");
    mail_of_text(PLAIN EIGHT, "a vile\xe4\xf6 fragment");
    rig_expect(&rig, INSPECT_SENT_ON, "signature: Test.Vile");
    mail_of_text(PLAIN QUOTED, "vile=66rag=\r\nment");
    rig_expect(&rig, INSPECT_SENT_ON, "signature: Test.Vile");
    mail_of_text(HTML QUOTED, "<html>v=69le frag=\r\nment");
    rig_expect(&rig, INSPECT_SENT_ON, "signature: Test.Vile");
    mail_single(&sample, HTML EIGHT, entity, strlen(entity));
    rig_expect_settled(&rig); /* one form has the tags, the other a space for the reference */
    mail_of_text(HTML EIGHT, "<html><p>vile&#102;ragment</p></html>");
    rig_expect(&rig, INSPECT_SENT_ON, "signature: Test.Vile");
    mail_of_text(HTML EIGHT, "<html><p>vile<b></b>fragment</p></html>");
    rig_expect(&rig, INSPECT_SENT_ON, "signature: Test.Vile");
    for (unsigned way = 0; way < 5; way++) {
        static const char *const fields[] = {PLAIN, HTML, OCTETS, OCTETS, OCTETS};
        static const char *const starts[] = {"hello", "<html>", "\x01\x02\xff\xfe",
                                             "\x01\x02\xff\xfe", "hello"};
        static const char *const words[] = {FRAGMENT, FRAGMENT, FRAGMENT, "vile\001ctets",
                                            FRAGMENT};

        (void)snprintf(body, sizeof(body), "%s and %s", starts[way], words[way]);
        mail_multipart(&sample);
        mail_part_base64(&sample, fields[way], body, strlen(body));
        mail_end(&sample);
        if (way == 2)
            rig_expect_settled(&rig); /* not a fragment of unknown binary */
        else
            rig_expect(&rig, INSPECT_SENT_ON,
                       way == 3 ? "signature: Test.Octets" : "signature: Test.Vile");
    }
    rig_close(&rig);
}

/* A part declared 7bit is also what it is when decoded as base64. */
static void test_forced(void **state)
{
    struct rig rig;

    (void)state;
    rig_begin(&rig);
    rig_add(&rig, "Test.Vile", PREFILTER_TEXT, 1, FRAGMENT);
    rig_add_exact(&rig, "Test.Octets", PREFILTER_BINARY, "vile\001ctets", 10);
    rig_open(&rig);
    for (unsigned way = 0; way < 4; way++) {
        static const char *const texts[] = {"some " FRAGMENT " here",
                                            "\x01\x02\xff\xfe vile\001ctets", "<html>hello",
                                            "some text only"};
        static const char *const reasons[] = {"signature: Test.Vile", "signature: Test.Octets",
                                              "type: CL_TYPE_HTML", ""};

        mail_multipart(&sample);
        mail_part(&sample, "Content-Type: text/plain; name=\"a.txt\"\r\n" SEVEN, "", 0);
        sample.length -= 2;
        mail_base64(&sample, texts[way], strlen(texts[way]));
        mail_text(&sample, "\r\n");
        mail_end(&sample);
        rig_expect(&rig, way < 3 ? INSPECT_SENT_ON : INSPECT_SETTLED, reasons[way]);
    }
    rig_close(&rig);
}

/* A fragment with odd bytes, at every place around the strides and the pieces, in all streams of
 * text. `with` bytes of it are odd; white space stands around it as in any text. */
static void plant_odd(struct rig *rig, const char *fragment, const char *fields, bool base64)
{
    static const size_t places[] = {0, 512, 1024, 16384};
    static char body[40000];
    size_t length = strlen(fragment);

    for (unsigned place = 0; place < sizeof(places) / sizeof(places[0]); place++) {
        for (int shift = -40; shift <= 8; shift++) {
            size_t at, head;

            for (size_t i = 0; i < sizeof(body); i++)
                body[i] = "a line of a text, nothing else\r\n"[i % 32];
            mail_multipart(&sample);
            /* Places are counted from the message's start, or from the decoded part's. */
            head = sample.length + strlen("--=_rig_7f3a\r\n") + strlen(fields) + 2;
            if (base64)
                head = 0;
            if (places[place] + 40 < head + 40 || (int)(places[place] - head) + shift < 0)
                continue;
            at = places[place] - head + (size_t)shift;
            for (size_t i = 0; i < length; i++)
                body[at + i] = fragment[i];
            if (at > 0 && body[at - 1] == '\r')
                body[at - 1] = ' ';
            if (body[at + length] == '\n')
                body[at + length] = ' ';
            if (base64)
                mail_part_base64(&sample, fields, body, 20000);
            else
                mail_part(&sample, fields, body, 20000);
            mail_end(&sample);
            rig_expect(rig, INSPECT_SENT_ON, "signature: Test.Odd");
        }
    }
}

static void test_odd(void **state)
{
    static const char *const fragments[] = {
        "abcd\351efgh", "\x80\x81\x82\x83", "abcdefghabcdefghabcdefghabcdefg\xff",
        "\xffgfedcbaabcdefghabcdefghabcdefgh", "abcdefghabcdefg\x07hgfedcbahgfedcba"};

    (void)state;
    for (unsigned i = 0; i < sizeof(fragments) / sizeof(fragments[0]); i++) {
        struct rig rig;

        rig_begin(&rig);
        rig_add_exact(&rig, "Test.Odd", PREFILTER_RAW | PREFILTER_TEXT, fragments[i],
                      strlen(fragments[i]));
        rig_open(&rig);
        plant_odd(&rig, fragments[i], PLAIN EIGHT, false);
        plant_odd(&rig, fragments[i], PLAIN, true);
        /* Cut everywhere. */
        mail_of_text(PLAIN EIGHT, "");
        mail_text(&sample, fragments[i]);
        mail_text(&sample, " end\r\n");
        for (size_t at = 0; at <= sample.length; at++)
            assert_int_equal(rig_run_cut(&rig, sample.bytes, sample.length, at).cause,
                             INSPECT_CAUSE_SIGNATURE);
        for (size_t piece = 1; piece < 40; piece++)
            assert_int_equal(rig_run(&rig, sample.bytes, sample.length, piece).cause,
                             INSPECT_CAUSE_SIGNATURE);
        rig_close(&rig);
    }
}

/* What only text may hold counts in the message only where a part may be text. */
static void test_text_in_raw(void **state)
{
    struct rig rig;
    size_t body;

    (void)state;
    rig_begin(&rig);
    rig_add(&rig, "Test.Vile", PREFILTER_TEXT, 1, FRAGMENT);
    rig_open(&rig);
    mail_of_text("X-Field: " FRAGMENT "\r\n" PLAIN EIGHT, "hello");
    body = sample.length - strlen("hello\r\n");
    assert_int_equal(rig_run_cut(&rig, sample.bytes, sample.length, body - 4).decision,
                     INSPECT_SETTLED);
    mail_of_text(PLAIN EIGHT, "hello " FRAGMENT);
    for (size_t at = 0; at <= sample.length; at++)
        assert_int_equal(rig_run_cut(&rig, sample.bytes, sample.length, at).cause,
                         INSPECT_CAUSE_SIGNATURE);
    /* Base64's own letters are not the text. */
    mail_multipart(&sample);
    mail_part(&sample, "Content-Type: image/png\r\nContent-Transfer-Encoding: base64\r\n",
              "iVBORw0KGgovilefragment+", 24);
    mail_end(&sample);
    for (size_t at = 200; at < sample.length; at++)
        if (rig_run_cut(&rig, sample.bytes, sample.length, at).decision == INSPECT_SETTLED)
            break;
    assert_int_equal(rig_run_mail(&rig).decision, INSPECT_SETTLED);
    rig_close(&rig);
}

/* All leaves of a group, anywhere in the message; a subset is not enough, nor what another message
 * had. */
static void test_groups(void **state)
{
    const uint32_t domains = PREFILTER_RAW | PREFILTER_TEXT | PREFILTER_HTML;
    struct rig rig;

    (void)state;
    rig_begin(&rig);
    rig_add(&rig, "Test.Three", domains, 3, "firstleaf", "secondleaf", "thirdleaf");
    rig_add(&rig, "Test.Two", domains, 2, "secondleaf", "fourthleaf");
    rig_open(&rig);
    mail_of_text(PLAIN EIGHT, "thirdleaf firstleaf");
    rig_expect_settled(&rig);
    mail_of_text(PLAIN EIGHT, "secondleaf");
    rig_expect_settled(&rig);
    mail_of_text(PLAIN EIGHT, "thirdleaf secondleaf firstleaf");
    rig_expect(&rig, INSPECT_SENT_ON, "signature: Test.Three");
    mail_of_text(PLAIN EIGHT, "fourthleaf");
    rig_expect_settled(&rig);
    mail_of_text(PLAIN EIGHT, "fourthleaf, and the secondleaf");
    rig_expect(&rig, INSPECT_SENT_ON, "signature: Test.Two");
    mail_multipart(&sample);
    mail_part_base64(&sample, PLAIN, "a firstleaf", 11);
    mail_part(&sample, HTML EIGHT, "<html>a third<!-- -->leaf", 25);
    mail_part(&sample, PLAIN QUOTED, "second=6ceaf", 12);
    mail_end(&sample);
    rig_expect(&rig, INSPECT_SENT_ON, "signature: Test.Three");
    rig_close(&rig);
}

/* Every byte string that libclamav hashes; the size counts, unless none is given. */
static void test_hashes(void **state)
{
    static const char *const reasons[] = {"hash: MD5", "hash: SHA1", "hash: SHA256"};
    static const char *const forms[] = {"<html>hello<b>you</b></html>", " hello you "};
    static uint8_t large[50000];

    (void)state;
    for (size_t i = 0; i < sizeof(large); i++)
        large[i] = (uint8_t)(i * i >> 3);
    for (unsigned digest = 0; digest < PREFILTER_DIGESTS; digest++) {
        for (unsigned what = 0; what < 6; what++) {
            const void *bytes[] = {unknown, large, "hello\n", forms[0], forms[1], unknown};
            size_t lengths[] = {sizeof(unknown),  sizeof(large),    6,
                                strlen(forms[0]), strlen(forms[1]), sizeof(unknown)};
            struct rig rig;

            rig_begin(&rig);
            rig_add_hash(&rig, digest, bytes[what], lengths[what], what == 2);
            rig_open(&rig);
            mail_multipart(&sample);
            if (what < 2)
                mail_part_base64(&sample, OCTETS, bytes[what], lengths[what]);
            else if (what == 2)
                mail_part_base64(&sample, PLAIN, bytes[what], lengths[what]);
            else if (what < 5)
                mail_part_base64(&sample, HTML, "<html>hello<B\n>you</b></html>", 29);
            if (what == 5) {
                mail_part(&sample, "Content-Type: text/plain; name=\"a.txt\"\r\n" SEVEN, "", 0);
                sample.length -= 2;
                mail_base64(&sample, unknown, sizeof(unknown));
                mail_text(&sample, "\r\n");
            }
            mail_end(&sample);
            rig_expect(&rig, INSPECT_SENT_ON, reasons[digest]);
            mail_multipart(&sample);
            mail_part_base64(&sample, OCTETS, large, sizeof(large) - 1);
            mail_part_base64(&sample, OCTETS, unknown, sizeof(unknown) - 1);
            mail_part_base64(&sample, PLAIN, "hellO\n", 6);
            mail_end(&sample);
            rig_expect_settled(&rig);
            rig_close(&rig);
        }
    }
}

static void add_name_rule(struct rig *rig, const char *pattern)
{
    bool widened = false;
    uint32_t signature;

    assert_int_equal(draft_add_signature(&rig->draft, "Test.Name", PREFILTER_SIGNATURE, &signature),
                     STATUS_OK);
    assert_int_equal(draft_add_name_rule(&rig->draft, signature, pattern, &widened), STATUS_OK);
    assert_false(widened);
}

static void named(const char *name)
{
    char fields[512];

    (void)snprintf(fields, sizeof(fields),
                   OCTETS "Content-Disposition: attachment; filename=\"%s\"\r\n", name);
    mail_multipart(&sample);
    mail_part_base64(&sample, fields, unknown, sizeof(unknown));
    mail_end(&sample);
}

/* Names as libclamav cleans them, and those it makes up. */
static void test_names(void **state)
{
    struct rig rig;

    (void)state;
    rig_begin(&rig);
    add_name_rule(&rig, "^in_voice_[0-9]+\\.exe$");
    rig_open(&rig);
    named("in_voice_12.exe");
    rig_expect(&rig, INSPECT_SENT_ON, "name: Test.Name");
    named("in-voice 12.exe");
    rig_expect(&rig, INSPECT_SENT_ON, "name: Test.Name");
    named("invoice 12.exe");
    rig_expect_settled(&rig);
    mail_of_text(PLAIN EIGHT, "hello");
    rig_expect_settled(&rig);
    rig_close(&rig);
    rig_begin(&rig);
    add_name_rule(&rig, "portion$");
    rig_open(&rig);
    mail_of_text(PLAIN EIGHT, "hello");
    rig_expect(&rig, INSPECT_SENT_ON, "name: Test.Name");
    rig_close(&rig);
}

/* Links make every text doubtful that has one, and text is what its Content-Type says. */
static void test_links(void **state)
{
    struct draft_leaf leaf = {.length = 5, .squeezed = true, .bytes = "href="};
    uint32_t signature;
    struct rig rig;

    (void)state;
    rig_begin(&rig);
    assert_int_equal(draft_add_signature(&rig.draft, "Test.Link", PREFILTER_PHISHING, &signature),
                     STATUS_OK);
    assert_int_equal(
        draft_add_group(&rig.draft, signature, PREFILTER_TEXT | PREFILTER_HTML, &leaf, 1),
        STATUS_OK);
    rig_open(&rig);
    for (unsigned way = 0; way < 8; way++) {
        static const char *const texts[] = {"hello <a hr\ref =x>",
                                            "\x01\x02\xff\xfe <a hr\ref=\"x\">",
                                            "\x89PNG\x01 <a href=x>", "%PDF-1.4 hello"};

        mail_multipart(&sample);
        mail_part_base64(&sample, way < 4 ? PLAIN : OCTETS, texts[way % 4], strlen(texts[way % 4]));
        mail_end(&sample);
        if (way < 5 && way != 3)
            rig_expect(&rig, INSPECT_SENT_ON, "signature: Test.Link");
        else if (way % 4 == 3)
            rig_expect(&rig, INSPECT_SENT_ON, "type: CL_TYPE_PDF");
        else
            rig_expect_settled(&rig);
    }
    mail_multipart(&sample);
    mail_part(&sample, "Content-Type: text/plain; name=\"a.txt\"\r\n" SEVEN, "", 0);
    sample.length -= 2;
    mail_base64(&sample, "\x01\x02\xff\xfe <a hr\ref=\"x\">", 18);
    mail_text(&sample, "\r\n");
    mail_end(&sample);
    rig_expect(&rig, INSPECT_SENT_ON, "signature: Test.Link");
    rig_close(&rig);
}

/* With a signature that counts from a text's end in the database, libclamav holds the normal form
 * against the hash signatures. */
static void test_hash_of_normal_text(void **state)
{
    static const char normal[] = "hello world of text ";
    static const char *const bodies[] = {"Hello   World\r\nof\t \tTEXT\r\n",
                                         "hello w\x01orl\xe9"
                                         "d of\r\n\r\n text\r\n"};
    struct rig rig;

    (void)state;
    rig_begin(&rig);
    rig_add_hash(&rig, PREFILTER_MD5, normal, strlen(normal), false);
    rig_open(&rig);
    for (unsigned i = 0; i < 2; i++) {
        mail_of_text(PLAIN EIGHT, bodies[i]);
        rig_expect(&rig, INSPECT_SENT_ON, "hash: MD5");
    }
    mail_of_text(PLAIN EIGHT, "hello world of texts\r\n");
    rig_expect_settled(&rig);
    rig_close(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hash_of_normal_text),
        cmocka_unit_test(test_settled),
        cmocka_unit_test(test_structure),
        cmocka_unit_test(test_malformed_wins),
        cmocka_unit_test(test_clear_structure),
        cmocka_unit_test(test_closed),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_always),
        cmocka_unit_test(test_planted),
        cmocka_unit_test(test_forced),
        cmocka_unit_test(test_odd),
        cmocka_unit_test(test_text_in_raw),
        cmocka_unit_test(test_groups),
        cmocka_unit_test(test_hashes),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_links),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
