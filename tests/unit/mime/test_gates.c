/* Every reason not to vouch for a message, by the smallest messages that give it, under every cut;
 * and the neighbours that must pass. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/mime/rig.h"

#define RECEIVED "Received: from a by b; Sat, 21 Nov 2026 00:00:00 +0000\r\n"
#define MIXED    RECEIVED "Content-Type: multipart/mixed; boundary=edge\r\n\r\n"
#define PART     "--edge\r\nContent-Type: text/plain\r\n\r\n"
#define BASE64   "--edge\r\nContent-Transfer-Encoding: base64\r\n\r\n"
#define TYPE     RECEIVED "Content-Type: "
#define FIFTY    "01234567890123456789012345678901234567890123456789"
#define LONG     FIFTY FIFTY FIFTY FIFTY FIFTY FIFTY FIFTY FIFTY FIFTY FIFTY

struct gate_case {
    enum mime_gate gate;
    const char *message;
};

static const struct gate_case header_cases[] = {
    {MIME_GATE_LONG_LINE, RECEIVED "X-A: " LONG LONG "\r\n\r\n"},
    {MIME_GATE_BARE_CR, RECEIVED "X-A: b\n\r\n"},
    {MIME_GATE_BARE_CR, RECEIVED "X-A: b\r \r\n\r\n"},
    {MIME_GATE_BARE_CR, RECEIVED "\r\na\rb\r\n"},
    {MIME_GATE_BARE_CR, RECEIVED "\r\na\nb\r\n"},
    {MIME_GATE_BARE_CR, RECEIVED "\r\na"},
    {MIME_GATE_BARE_CR, RECEIVED "\r\n" LONG LONG "\ra\r\n"},
    {MIME_GATE_NO_RECEIVED, "Subject: x\r\n\r\n"},
    {MIME_GATE_NO_RECEIVED, "received: x\r\n\r\n"},
    {MIME_GATE_NO_RECEIVED, "Received: by a; Sat, 21 Nov 2026 00:00:00 +0000\r\n\r\n"},
    {MIME_GATE_NO_RECEIVED, "\r\n"},
    {MIME_GATE_HEADER_ENDS, RECEIVED "X-A: b\r\n"},
    {MIME_GATE_HEADER_ENDS, ""},
    {MIME_GATE_HEADER_LINE, RECEIVED "hello there\r\n\r\n"},
    {MIME_GATE_HEADER_LINE, RECEIVED "hello there: x\r\n\r\n"},
    {MIME_GATE_HEADER_LINE, RECEIVED "-a: x\r\n\r\n"},
    {MIME_GATE_HEADER_LINE, RECEIVED "a(b): x\r\n\r\n"},
    {MIME_GATE_HEADER_LINE, RECEIVED ": x\r\n\r\n"},
    {MIME_GATE_HEADER_LINE, RECEIVED "X-A: \x01\r\n\r\n"},
    {MIME_GATE_HEADER_LINE, MIXED "--edge\r\n x\r\n\r\n--edge--\r\n"},
    {MIME_GATE_HEADER_LINE, MIXED "--edge\r\nA: b\r\n--edge--\r\n"},
    {MIME_GATE_HEADER_NAME, RECEIVED "Content-Type : text/plain\r\n\r\n"},
    {MIME_GATE_HEADER_NAME, RECEIVED "Content-Type(x): text/plain\r\n\r\n"},
    {MIME_GATE_HEADER_WHITE, RECEIVED "X-A: b\r\n \r\nX-C: d\r\n\r\n"},
    {MIME_GATE_HEADER_WHITE, RECEIVED "X-A: b\r\n\t\xe4\r\nX-C: d\r\n\r\n"},
    {MIME_GATE_EMPTY_OPTIONS, RECEIVED "X-A: b\r\n ;\r\nX-C: d\r\n\r\n"},
    {MIME_GATE_HEADER_JOINED, TYPE "text/html;\r\n\r\nx\r\n"},
    {MIME_GATE_HEADER_JOINED, TYPE "text/html;\r\nContent-Transfer-Encoding: base64\r\n\r\n"},
    {MIME_GATE_HEADER_LINE, TYPE "text/html;\r\nMIME-Version: 1.0\r\n x\r\n\r\n"},
    {MIME_GATE_HEADER_JOINED, MIXED "--edge\r\nX-A: b; \r\nX-C: d=e\r\n\r\n--edge--\r\n"},
    {MIME_GATE_HEADER_NONE, MIXED "--edge\r\n\r\nx\r\n--edge--\r\n"},
    {MIME_GATE_FIELD_TWICE, TYPE "text/plain\r\ncontent-type: text/html\r\n\r\n"},
    {MIME_GATE_FIELD_TWICE,
     RECEIVED "Content-Disposition: inline\r\nContent-Disposition: inline\r\n\r\n"},
    {MIME_GATE_ENCODING_TWICE,
     RECEIVED "Content-Transfer-Encoding: 7bit\r\nContent-Transfer-Encoding: base64\r\n\r\n"},
    {MIME_GATE_FIELD_EMPTY, RECEIVED "Content-Type:\r\n\r\n"},
    {MIME_GATE_FIELD_EMPTY, RECEIVED "Content-Disposition: \r\n\r\n"},
    {MIME_GATE_FIELD_QUOTES, TYPE "text/plain; charset=\"x\r\n\r\n"},
    {MIME_GATE_FIELD_QUOTES, TYPE "text/plain; name=\"a\\\"b\"\r\n\r\n"},
    {MIME_GATE_FIELD_COMMENT, TYPE "text/plain (x)\r\n\r\n"},
    {MIME_GATE_FIELD_COMMENT, TYPE "(x) text/plain\r\n\r\n"},
    {MIME_GATE_FIELD_COMMENT, RECEIVED "Content-Transfer-Encoding: base64 (7bit)\r\n\r\n"},
    {MIME_GATE_FIELD_SYNTAX, TYPE "text\r\n\r\n"},
    {MIME_GATE_FIELD_SYNTAX, TYPE "text/\r\n\r\n"},
    {MIME_GATE_FIELD_SYNTAX, TYPE "\"text/plain\"\r\n\r\n"},
    {MIME_GATE_FIELD_SYNTAX, TYPE "text/plain charset=x\r\n\r\n"},
    {MIME_GATE_FIELD_SYNTAX, TYPE "text/plain; charset\r\n\r\n"},
    {MIME_GATE_FIELD_SYNTAX, TYPE "text/plain; charset=\r\n\r\n"},
    {MIME_GATE_FIELD_SYNTAX, TYPE "text/plain; charset =x\r\n\r\n"},
    {MIME_GATE_FIELD_SYNTAX, TYPE "text/plain; x=a b\r\n\r\n"},
    {MIME_GATE_FIELD_SYNTAX, TYPE "text/plain; x=\"a;b\"\r\n\r\n"},
    {MIME_GATE_FIELD_SYNTAX, TYPE "text/plain; x=\"a\\b\"\r\n\r\n"},
    {MIME_GATE_FIELD_SYNTAX, TYPE "text/plain;; x=y\r\n\r\n"},
    {MIME_GATE_PARAMETER, TYPE "text/plain; namex=y\r\n\r\n"},
    {MIME_GATE_PARAMETER, TYPE "text/plain; filename=y\r\n\r\n"},
    {MIME_GATE_PARAMETER, TYPE "text/plain; boundary=b\r\n\r\n"},
    {MIME_GATE_PARAMETER,
     MIXED "--edge\r\nContent-Type: application/octet-stream; boundary=b\r\n\r\n"},
    {MIME_GATE_PARAMETER, TYPE "text/plain; name=\"\"\r\n\r\n"},
    {MIME_GATE_PARAMETER, TYPE "text/plain; name=\"a*=b\"\r\n\r\n"},
    {MIME_GATE_PARAMETER, TYPE "text/plain; name*0=a\r\n\r\n"},
    {MIME_GATE_PARAMETER, TYPE "text/plain; type=\"\xe4\"\r\n\r\n"},
    {MIME_GATE_PARAMETER, RECEIVED "Content-Disposition: inline; filename= x\r\n\r\n"},
    {MIME_GATE_PARAMETER, RECEIVED "Content-Disposition: inline; name=x\r\n\r\n"},
    {MIME_GATE_PARAMETER_TWICE, TYPE "text/plain; name=a; name=b\r\n\r\n"},
    {MIME_GATE_PARAMETER_TWICE,
     RECEIVED "Content-Disposition: inline; filename=a; filename*=''b\r\n\r\n"},
    {MIME_GATE_ENCODED_NAME, TYPE "text/plain; name=\"=?a?x?b?=\"\r\n\r\n"},
    {MIME_GATE_ENCODED_NAME, TYPE "text/plain; name=\"=?a?q?=3B?=\"\r\n\r\n"},
    {MIME_GATE_ENCODED_NAME, TYPE "text/plain; name=\"=?a?q?=3?=\"\r\n\r\n"},
    {MIME_GATE_ENCODED_NAME, TYPE "text/plain; name=\"=?a?b?QUI?=\"\r\n\r\n"},
    {MIME_GATE_ENCODED_NAME, TYPE "text/plain; name=\"=?a?b?QUJ=?=\"\r\n\r\n"},
    {MIME_GATE_ENCODED_NAME, TYPE "text/plain; name=\"=?a?b?\"\r\n\r\n"},
    {MIME_GATE_ENCODED_NAME, TYPE "text/plain; name*=utf-8'%41\r\n\r\n"},
    {MIME_GATE_ENCODED_NAME, TYPE "text/plain; name*=utf-8''%4\r\n\r\n"},
    {MIME_GATE_ENCODED_NAME, TYPE "text/plain; name*=utf-8''a%00\r\n\r\n"},
    {MIME_GATE_ENCODING, RECEIVED "Content-Transfer-Encoding: uuencode\r\n\r\n"},
    {MIME_GATE_ENCODING, RECEIVED "Content-Transfer-Encoding: base-64\r\n\r\n"},
    {MIME_GATE_DISPOSITION, RECEIVED "Content-Disposition: download\r\n\r\n"},
    {MIME_GATE_DISPOSITION, RECEIVED "Content-Disposition: \"attachment\"\r\n\r\n"},
    {MIME_GATE_MEDIA_TYPE, TYPE "test/plain\r\n\r\n"},
    {MIME_GATE_MEDIA_TYPE, TYPE "1/2\r\n\r\n"},
};

static const struct gate_case structure_cases[] = {
    {MIME_GATE_MULTIPART_TYPE, TYPE "multipart/html; boundary=b\r\n\r\n"},
    {MIME_GATE_MULTIPART_TYPE, TYPE "multipart/parallel; boundary=b\r\n\r\n"},
    {MIME_GATE_MULTIPART_SYNTAX, TYPE "multipart/mixed; boundary=\"b;c\"\r\n\r\n"},
    {MIME_GATE_MULTIPART_SYNTAX, TYPE "multipart/mixed; boundary=\"b \"\r\n\r\n"},
    {MIME_GATE_MULTIPART_SYNTAX, TYPE "multipart/mixed; boundary=\"\"\r\n\r\n"},
    {MIME_GATE_MULTIPART_SYNTAX, TYPE "multipart/mixed; boundary=xbase64x\r\n\r\n"},
    {MIME_GATE_MULTIPART_SYNTAX, TYPE "multipart/mixed; boundary*0=b\r\n\r\n"},
    {MIME_GATE_MULTIPART_SYNTAX, TYPE "multipart/mixed; boundaryx=b\r\n\r\n"},
    {MIME_GATE_MULTIPART_SYNTAX, TYPE "multipart/mixed; boundary=\"=?x?q?b?=\"\r\n\r\n"},
    {MIME_GATE_MULTIPART_SYNTAX, TYPE "multipart/mixed; boundary=" FIFTY FIFTY "\r\n\r\n"},
    {MIME_GATE_BOUNDARY_VALUE, TYPE "text/plain; boundary=\"b \"\r\n\r\n"},
    {MIME_GATE_PARAMETER_TWICE, TYPE "multipart/mixed; boundary=b; boundary=b\r\n\r\n"},
    {MIME_GATE_BOUNDARY_NONE, TYPE "multipart/mixed\r\n\r\n"},
    {MIME_GATE_BOUNDARY_BLANK, TYPE "multipart/mixed; boundary= b\r\n\r\n"},
    {MIME_GATE_MULTIPART_ENCODED,
     TYPE "multipart/mixed; boundary=b\r\nContent-Transfer-Encoding: base64\r\n\r\n"},
    {MIME_GATE_MULTIPART_EMPTY, MIXED},
    {MIME_GATE_MULTIPART_EMPTY, MIXED "--edge--\r\n"},
    {MIME_GATE_MULTIPART_EMPTY,
     MIXED "--edge\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--edge--\r\n"},
    {MIME_GATE_BOUNDARY_LINE, MIXED PART "--EDGE\r\n"},
    /* A harmless doubt does not hide it. */
    {MIME_GATE_BOUNDARY_LINE, MIXED PART "begin 644 x\r\n--EDGE\r\n"},
    {MIME_GATE_EMBEDDED_ARMOR, MIXED PART "-----BEGIN PGP MESSAGE-----\r\n--edge--\r\n"},
    {MIME_GATE_EMBEDDED_ARMOR, RECEIVED "\r\na\r\n-----BEGIN PKCS7-----\r\n"},
    {MIME_GATE_EMBEDDED_FILE, MIXED PART "begin 644 x\r\n--edge--\r\n"},
    {MIME_GATE_BOUNDARY_LINE, MIXED PART "--edge\t\r\n"},
    {MIME_GATE_BOUNDARY_LINE, MIXED PART "---edge\r\n"},
    {MIME_GATE_BOUNDARY_LINE, MIXED PART "-xedge\r\n"},
    {MIME_GATE_BOUNDARY_LINE, MIXED PART "-edge\r\n"},
    {MIME_GATE_BOUNDARY_LINE, MIXED PART "--edge2\r\n"},
    {MIME_GATE_BOUNDARY_LINE, MIXED PART "--edge--x\r\n"},
    {MIME_GATE_BOUNDARY_LINE, MIXED PART "--edge--Edge\r\n"},
    {MIME_GATE_BOUNDARY_LINE, MIXED PART "(x)--edge\r\n"},
    {MIME_GATE_BOUNDARY_LINE, MIXED PART "--(\\))edge\r\n"},
    {MIME_GATE_BOUNDARY_LINE, MIXED PART "--e\\dge\r\n"},
    {MIME_GATE_BOUNDARY_LINE,
     MIXED "--edge\r\nContent-Type: multipart/mixed; boundary=edge--x\r\n\r\n--edge--x\r\n"},
    {MIME_GATE_BOUNDARY_LINE, MIXED PART LONG FIFTY FIFTY FIFTY FIFTY FIFTY FIFTY FIFTY FIFTY FIFTY
     "0123456789012345678901234567890123456789012345678--edge\r\n"},
    {MIME_GATE_BOUNDARY_CLOSED, MIXED PART "--edge--\r\n--edge\r\n"},
    {MIME_GATE_BOUNDARY_CLOSED, MIXED PART "--edge--\r\n--edge--\r\n"},
    {MIME_GATE_BOUNDARY_NESTED,
     MIXED "--edge\r\nContent-Type: multipart/mixed; boundary=EDGE\r\n\r\n"},
    {MIME_GATE_RELATED, TYPE "multipart/related; boundary=edge\r\n\r\n" PART "x\r\n--edge--\r\n"},
    {MIME_GATE_RELATED, TYPE "multipart/related; boundary=edge\r\n\r\n"
                             "--edge\r\nContent-Type: multipart/related; boundary=b\r\n\r\n"},
    {MIME_GATE_RELATED, TYPE "multipart/related; boundary=edge\r\n\r\n"
                             "--edge\r\nContent-Type: multipart/signed; boundary=b\r\n\r\n"},
    {MIME_GATE_RELATED_ROOT,
     TYPE "multipart/related; boundary=edge\r\n\r\n--edge\r\nA: b\r\n\r\n--edge\r\n"
          "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nA: b\r\n\r\n--b--\r\n"
          "--edge--\r\n"},
    {MIME_GATE_SIGNED, TYPE "multipart/signed; boundary=edge\r\n\r\n" PART PART "--edge--\r\n"},
    {MIME_GATE_SIGNED, TYPE "multipart/signed; boundary=edge\r\n\r\n" PART "--edge--\r\n"},
    {MIME_GATE_SIGNED,
     TYPE "multipart/signed; boundary=edge\r\n\r\n" PART
          "--edge\r\nContent-Type: application/pgp-signature\r\n\r\nx\r\n" PART "--edge--\r\n"},
    {MIME_GATE_MESSAGE, TYPE "message/rfc822\r\n\r\n"},
    {MIME_GATE_MESSAGE, MIXED "--edge\r\nContent-Type: message/partial\r\n\r\n"},
    {MIME_GATE_MESSAGE, MIXED "--edge\r\nContent-Type: message/rfc822\r\n"
                              "Content-Transfer-Encoding: base64\r\n\r\n"},
    {MIME_GATE_MESSAGE, MIXED "--edge\r\nContent-Type: message/rfc822\r\n\r\n"
                              "From: x\r\nContent-Transfer-Encoding: 8bit\r\n\r\nx\r\n"},
    {MIME_GATE_MESSAGE_HIDDEN, MIXED "--edge\r\nContent-Type: message/rfc822\r\n\r\n"
                                     "X-A: x\r\nContent-Transfer-Encoding: 8bit\r\n\r\nx\r\n"},
    {MIME_GATE_MESSAGE_HIDDEN,
     MIXED "--edge\r\nContent-Type: message/rfc822\r\n\r\n"
           "From: x\r\nContent-Transfer-Encoding: base64 (7bit)\r\n\r\nx\r\n"},
};

static const struct gate_case body_cases[] = {
    {MIME_GATE_LATE_HEADER, RECEIVED "\r\n\r\nDate: x\r\n"},
    {MIME_GATE_LATE_HEADER, RECEIVED "\r\nMessage-Id: x\r\n"},
    {MIME_GATE_LATE_HEADER, TYPE "multipart/mixed; boundary=b\r\n\r\nDate: x\r\n"},
    {MIME_GATE_LATE_HEADER, MIXED PART "Content of this\r\n"},
    {MIME_GATE_LATE_HEADER, MIXED PART "\r\nfilename=x\r\n"},
    {MIME_GATE_LATE_HEADER, MIXED "--edge\r\nContent-Type: application/x\r\n\r\nin base64\r\n"},
    {MIME_GATE_LATE_HEADER, MIXED "--edge\r\nX-A: b\r\n\r\nin base64\r\n"},
    {MIME_GATE_BASE64_LINE, MIXED BASE64 "filename=x\r\n"},
    {MIME_GATE_BASE64_LINE, MIXED BASE64 "QUJD\r\nbegin 644 x\r\n"},
    {MIME_GATE_EMBEDDED_HEADER, RECEIVED "\r\nx\r\nContent-Transfer-Encoding: base64\r\n"},
    {MIME_GATE_EMBEDDED_HEADER, RECEIVED "\r\nx\r\ncontent-type: text/html\r\n"},
    {MIME_GATE_EMBEDDED_HEADER, TYPE "text/html\r\n\r\nx\r\nContent-Transfer-Encoding: base64\r\n"},
    {MIME_GATE_EMBEDDED_HEADER, MIXED "Content-Transfer-Encoding: base64\r\n"},
    {MIME_GATE_EMBEDDED_HEADER, TYPE "multipart/related; boundary=edge\r\n\r\n--edge\r\n"
                                     "Content-Type: text/html\r\n\r\nx\r\n"
                                     "Content-Transfer-Encoding: base64\r\n"},
    {MIME_GATE_EMBEDDED_FILE, RECEIVED "\r\nbegin 644 x\r\n"},
    {MIME_GATE_EMBEDDED_FILE, RECEIVED "\r\n=ybegin line=128 size=3 name=x\r\n"},
    {MIME_GATE_EMBEDDED_FILE, RECEIVED "\r\n(This file must be converted with BinHex 4.0)\r\n"},
    {MIME_GATE_EMBEDDED_FILE, RECEIVED "\r\nThis file must be converted with BinHex 4.0    \r\n"},
    {MIME_GATE_EMPTY_OPTIONS, RECEIVED "\r\n;\r\n\r\n ;\r\n"},
};

/* The neighbours of the above. */
static const char *const passing[] = {
    RECEIVED "X-Copyright(C): \"x\r\nX-It'S: (\r\n>Received: x\xe4\r\n\r\n",
    RECEIVED "\r\n" LONG LONG LONG "\r\n",
    RECEIVED "X-A: b;\r\nX-C: d=e\r\n\r\n",
    TYPE "text/plain;\r\nMIME-Version: 1.0\r\nX-A: b\r\n\r\n",
    TYPE "text/plain; \r\nX-A: b\r\n\r\n",
    TYPE "text/plain; name=\"a (b).c\"; x=\"\xe4\"; type=a/b; charset= \"x\"\r\n\r\n",
    TYPE "text/plain; name=\"=?utf-8?Q?a=2Eb?= =?utf-8?b?Yy5k?=\"\r\n\r\n",
    RECEIVED "\r\nin base64\r\nContent of this\r\ncontent-typical\r\nbegin to 644\r\n",
    RECEIVED "\r\n\r\nContent\r\nfilename=x\r\nContent-Type: text/plain\r\n",
    RECEIVED "\r\nx\r\nDate: x\r\nContent-Transfer-Encoding: 7bit\r\n;\r\nx\r\n;\r\n",
    MIXED PART "x\r\nContent-Transfer-Encoding: base64\r\nContent-Type: a/b\r\n--edge--\r\n",
    MIXED PART "Date: x\r\n-  edge\r\n-- edge\r\n--edg\r\nx--edge\r\n (--edge\r\n--edge--\r\n",
    MIXED PART "not closed\r\n",
    MIXED "--edge\r\nX-A: b;\r\nX-C: d\r\n\r\n--edge--\r\n",
    MIXED "--edge\r\nContent-Type: multipart/mixed; boundary=edge2\r\n\r\n--edge2\r\nA: b\r\n\r\n"
          "--edge2--\r\n--edge--\r\n",
    MIXED "--edge\r\nContent-Type: message/rfc822\r\n\r\nX-A: x\r\nContent-Type: a/b\r\n"
          "Content-Transfer-Encoding: 7bit \r\n\r\nContent-Type: text/html\r\n--edge--\r\n",
    TYPE "multipart/mixed; boundary=\"a (b) c\"\r\n\r\n--a (b) c\r\nA: b\r\n\r\n--a (b) c--\r\n",
};

static void check_gate(enum mime_gate gate, const char *message)
{
    struct rig_result result;

    rig_run_all(&result, message, strlen(message));
    if (result.gate != gate)
        fail_msg("\"%s\" rather than \"%s\" for:\n%s", mime_gate_text(result.gate),
                 mime_gate_text(gate), message);
    rig_free(&result);
}

static void check_gates(const struct gate_case *cases, size_t count)
{
    for (size_t i = 0; i < count; i++)
        check_gate(cases[i].gate, cases[i].message);
}

#define COUNT(cases) (sizeof(cases) / sizeof((cases)[0]))

static void test_header(void **state)
{
    (void)state;
    check_gates(header_cases, COUNT(header_cases));
}

static void test_structure(void **state)
{
    (void)state;
    check_gates(structure_cases, COUNT(structure_cases));
}

static void test_body(void **state)
{
    (void)state;
    check_gates(body_cases, COUNT(body_cases));
}

static void test_passing(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(passing); i++)
        check_gate(MIME_GATE_NONE, passing[i]);
}

/* What is doubted first when a NUL stands where it mattered what stood there. */
static bool nul_breaks(enum mime_gate gate)
{
    return mime_gate_class(gate) == GATE_READERS || gate == MIME_GATE_BARE_CR ||
           gate == MIME_GATE_NO_RECEIVED || gate == MIME_GATE_MULTIPART_EMPTY;
}

static void test_nul(void **state)
{
    static const char *const places[] = {RECEIVED "X-A: b\r\n\r\n", RECEIVED "\r\nabc\r\n",
                                         MIXED PART "x\r\n--edge--\r\n"};
    struct rig_result result;

    (void)state;
    for (size_t i = 0; i < COUNT(places); i++)
        for (size_t at = 0; at < strlen(places[i]); at++) {
            char *message = strdup(places[i]);

            assert_non_null(message);
            message[at] = '\0';
            rig_run_all(&result, message, strlen(places[i]));
            /* What it was put in place of may be missed first: a CR, our own field. */
            if (!nul_breaks(result.gate))
                assert_string_equal(mime_gate_text(result.gate), "NUL byte");
            rig_free(&result);
            free(message);
        }
}

/* A NUL is named where there is no other doubt, before it or behind it, however the bytes come. */
static void test_nul_beside_a_doubt(void **state)
{
    static const struct {
        const char *before, *after;
        enum mime_gate gate;
    } cases[] = {
        {RECEIVED "\r\na", "c\r\n", MIME_GATE_NUL},
        {RECEIVED "Content-Transfer-Encoding: 4bit\r\n\r\na", "c\r\n", MIME_GATE_ENCODING},
        {MIXED PART "x", "y\r\n--edge\r\nContent-Transfer-Encoding: 4bit\r\n\r\n--edge--\r\n",
         MIME_GATE_ENCODING},
    };
    struct rig_result result;

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        size_t front = strlen(cases[i].before);
        size_t back = strlen(cases[i].after);
        char *message = calloc(1, front + 1 + back + 1);

        assert_non_null(message);
        memcpy(message, cases[i].before, front);
        memcpy(message + front + 1, cases[i].after, back);
        rig_run_all(&result, message, front + 1 + back);
        assert_string_equal(mime_gate_text(result.gate), mime_gate_text(cases[i].gate));
        rig_free(&result);
        free(message);
    }
}

/* Every gate has a text of its own, a class, and a case above or in test_limits.c. */
static void test_all_named(void **state)
{
    static const enum mime_gate elsewhere[] = {
        MIME_GATE_NONE,  MIME_GATE_NUL,   MIME_GATE_HEADER_SIZE, MIME_GATE_MULTIPART_DEPTH,
        MIME_GATE_PARTS, MIME_GATE_FOLDS, MIME_GATE_PARAMETERS,  MIME_GATE_MULTIPART_DEEP};
    bool seen[MIME_GATE_COUNT] = {false};

    (void)state;
    for (size_t i = 0; i < COUNT(elsewhere); i++)
        seen[elsewhere[i]] = true;
    for (size_t i = 0; i < COUNT(header_cases); i++)
        seen[header_cases[i].gate] = true;
    for (size_t i = 0; i < COUNT(structure_cases); i++)
        seen[structure_cases[i].gate] = true;
    for (size_t i = 0; i < COUNT(body_cases); i++)
        seen[body_cases[i].gate] = true;
    for (enum mime_gate gate = 0; gate < MIME_GATE_COUNT; gate++) {
        if (!seen[gate])
            fail_msg("no case gives \"%s\"", mime_gate_text(gate));
        for (enum mime_gate other = 0; other < gate; other++)
            assert_string_not_equal(mime_gate_text(gate), mime_gate_text(other));
    }
    assert_int_equal(mime_gate_class(MIME_GATE_LONG_LINE), GATE_SCAN);
    assert_int_equal(mime_gate_class(MIME_GATE_BOUNDARY_LINE), GATE_READERS);
    assert_int_equal(mime_gate_class(MIME_GATE_COUNT), GATE_READERS);
    assert_string_equal(mime_gate_text(MIME_GATE_COUNT), "unknown");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_header),    cmocka_unit_test(test_structure),
        cmocka_unit_test(test_body),      cmocka_unit_test(test_passing),
        cmocka_unit_test(test_nul),       cmocka_unit_test(test_nul_beside_a_doubt),
        cmocka_unit_test(test_all_named),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
