/* HTML's normal forms: what libclamav makes of some inputs (taken from the library itself), that
 * cuts do not matter, and that what is not followed is gated. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "signatures/content/html/html.h"

#define FORM_BYTES (1u << 18)

struct form {
    uint8_t bytes[FORM_BYTES];
    size_t length;
};

struct forms {
    struct form nocomment;
    struct form notags;
};

static struct forms first;
static struct forms second;
static struct html_normaliser html;

static void add(struct form *form, const uint8_t *bytes, size_t length)
{
    assert_true(length > 0 && form->length + length <= FORM_BYTES);
    memcpy(form->bytes + form->length, bytes, length);
    form->length += length;
}

static void add_nocomment(void *context, const uint8_t *bytes, size_t length)
{
    add(&((struct forms *)context)->nocomment, bytes, length);
}

static void add_notags(void *context, const uint8_t *bytes, size_t length)
{
    add(&((struct forms *)context)->notags, bytes, length);
}

static void begin(struct forms *forms)
{
    struct html_sink sink = {forms, add_nocomment, add_notags};

    forms->nocomment.length = 0;
    forms->notags.length = 0;
    html_begin(&html, &sink);
}

static enum html_gate run(struct forms *forms, const void *bytes, size_t length)
{
    begin(forms);
    html_feed(&html, bytes, length);
    html_end(&html);
    return html.gate;
}

static void same_forms(void)
{
    assert_int_equal(first.nocomment.length, second.nocomment.length);
    assert_memory_equal(first.nocomment.bytes, second.nocomment.bytes, first.nocomment.length);
    assert_int_equal(first.notags.length, second.notags.length);
    assert_memory_equal(first.notags.bytes, second.notags.bytes, first.notags.length);
}

#define T(text) text, sizeof(text) - 1

static const struct {
    const char *input;
    size_t length;
    const char *nocomment;
    size_t nocomment_length;
    const char *notags;
    size_t notags_length;
} samples[] = {
    {T(""), T(""), T("")},
    {T(" \n"), T(""), T("")},
    {T("Hello World"), T("hello world"), T("hello world")},
    {T("<p>"), T("<p>"), T(" ")},
    {T("a  b\x0d\n c\x09"
       "d\x0b"
       "e\x0d\n"),
     T("a b c d e"), T("a b c d e ")},
    {T("<P Align = \"Center\" >x</P >"), T("<p align=\"center\">x</p>"), T(" x ")},
    {T("<a href=\"http://Ex.org/A?b=C&amp;d\">Link</a>"),
     T("<a href=\"http://ex.org/a?b=c&d\">link</a>"), T(" http://Ex.org/A?b=C&d link ")},
    {T("<a href='u v' title=x>y"), T("<a href=\"u v\" title=x>y"), T(" u v y")},
    {T("<a href href=x>y"), T("<a href href=x>y"), T(" y")},
    {T("<A HREF=Abc>"), T("<a href=abc>"), T(" ")},
    {T("<img src=\"'Q\" alt=\"\">t<IMG SRC=cid:One@Two>t"),
     T("<img src=\"\"q\" alt=\"\">t<img src=cid:one@two>t"), T(" \"Q t cid:One@Two t")},
    {T("<img src=&bogus;&LT;&#65;&lt;>t"), T("<img src=&bogus;&lt;a<>t"), T(" &bogus;&lt;A< t")},
    {T("<a href=\"a&#0;b\">t<a href=\"\">t<a href=\">\">t"),
     T("<a href=\"a\x00"
       "b\">t<a href=\"\">t<a href=\">\">t"),
     T(" t t > t")},
    {T("a<!-- x > y --> z <!> w<!"), T("ay --> z w"), T("a y --> z w ")},
    {T("<"), T("<"), T(" ")},
    {T("x<  !c>y< b>z"), T("xy<b>z"), T("x y z")},
    {T("&nbsp;&amp;&yuml;&Yuml;&euro;&agr;&;&bogus;&NBSP; &x &&am"),
     T("\xa0&&#x00ff;&#x0178;&#x20ac;&#x03b1;&;&bogus;&nbsp; &x &&am"), T(" ")},
    {T("&#65;&#x41;&#X4a;&#0x41;&#00;&#255;&#254;&#x3002;&#65601;&#x"), T("aaja\x00&#x00ff;\xfe.A"),
     T(" ")},
    {T("&#99999999999999999999;&#x7fffffffffffffffff;&#12a;&#;&amp"),
     T("\xff"
       "9;\x05"
       "f;\x0c"
       "a;\x00&"),
     T(" 9; f; a; ")},
    {T("caf\xe9 na\xc3\xafve \xe2\x82\xac \xf0\x9f\x98\x80 \xe3\x80\x82 \xef\xbc\x8e \xa1"
       "C\xa1\xa1"
       "D \xa1O\xffx"),
     T("caf\xe9 na\xc3\xafve \xe2\x82\xac \xf0\x9f\x98\x80 . . .\xa1\xa1"
       "d .\xffx"),
     T("caf\x00 na\xc3\xc3ve \xe2\x82\x82\xf0\x9f\x9f\x00...\xa1\xa1"
       "d .\x00x")},
    {T("<p t=\xe9 u=\"\xc3\xa9 \xe3\x80\x82x\">\xa1"), T("<p t= u=\" \xe9\xc3\xa9.x\">"), T(" ")},
    {T("<p t='\xa1"
       "Cx' u=\xa1\xa1"
       "Dx v=\xef\xb9\x92>x"),
     T("<p t=\".x\" u=\xa1\xa1"
       "dx v=>x"),
     T(" x")},
    {T("<style>P > Q { color: 'Red' } <b> <!-- it's --> x</style >Y'Z"),
     T("<style>p>q{color:\"red\"}<b><!--it\"s-->x</style>y'z"), T(" >y'z")},
    {T("<style></script>x<style>y\xe9&lt;</style>  z &am"),
     T("<style></script>x<style>y\xe9<</style>z &am"), T(" x \x00z ")},
    {T("\x01"
       "a\x02\x03"
       "b\x7f"),
     T("\x01"
       "a\x02\x03"
       "b\x7f"),
     T(" a b\x7f")},
    {T("<b/><br/ ><c d/><e f = g h ='i\"j' k=\"l'm n>o\"p\">q"),
     T("<b/><br/><c d/><e f=g h=\"i\"j\" k=\"l\"m n>o\"p\">q"), T(" o\"p\">q")},
    {T("<a\nhref\n=\x0d\n\"X\"\n>y"), T("<a href=\"x\">y"), T(" X y")},
    {T("<td width=5% =x ==y>&#x;z"), T("<td width=5%=x==y>\x00z"), T(" z")},
    {T("it's \"quoted\" \\' <q c=\\\"x\\'>"), T("it's \"quoted\" \\' <q c=\\\"x\\\">"),
     T("it's \"quoted\" \\' ")},
    {T("<%x%> <?xml?> </> <><<p>>"), T("<%x%><?xml?></><><<p>>"), T(" >")},
};

static void test_samples(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(samples) / sizeof(samples[0]); i++) {
        assert_int_equal(run(&first, samples[i].input, samples[i].length), HTML_GATE_NONE);
        assert_int_equal(first.nocomment.length, samples[i].nocomment_length);
        assert_memory_equal(first.nocomment.bytes, samples[i].nocomment, first.nocomment.length);
        assert_int_equal(first.notags.length, samples[i].notags_length);
        assert_memory_equal(first.notags.bytes, samples[i].notags, first.notags.length);
    }
}

/* Every two-way and byte-wise cut of every sample. */
static void test_sample_cuts(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(samples) / sizeof(samples[0]); i++) {
        const uint8_t *bytes = (const uint8_t *)samples[i].input;

        (void)run(&first, bytes, samples[i].length);
        for (size_t cut = 0; cut <= samples[i].length; cut++) {
            begin(&second);
            html_feed(&html, bytes, cut);
            html_feed(&html, bytes + cut, samples[i].length - cut);
            html_end(&html);
            same_forms();
        }
        begin(&second);
        for (size_t at = 0; at < samples[i].length; at++)
            html_feed(&html, bytes + at, 1);
        html_end(&html);
        same_forms();
    }
}

/* Long inputs of the samples' bytes, so that chunks end everywhere, cut at random. */
static void test_long_cuts(void **state)
{
    static uint8_t bytes[60000];

    (void)state;
    srand(7);
    for (unsigned round = 0; round < 200; round++) {
        size_t length = 0;
        enum html_gate gate;

        while (length < sizeof(bytes) - 9000) {
            size_t i = (size_t)rand() % (sizeof(samples) / sizeof(samples[0]));
            size_t filler = rand() % 8 == 0 ? (size_t)rand() % 8400 : (size_t)rand() % 40;

            memset(bytes + length, rand() % 2 != 0 ? 'x' : ' ', filler);
            length += filler;
            memcpy(bytes + length, samples[i].input, samples[i].length);
            length += samples[i].length;
        }
        gate = run(&first, bytes, length);
        begin(&second);
        for (size_t at = 0; at < length;) {
            size_t piece = 1 + (size_t)rand() % (round % 2 != 0 ? 12000 : 100);

            if (piece > length - at)
                piece = length - at;
            html_feed(&html, bytes + at, piece);
            at += piece;
        }
        html_end(&html);
        assert_int_equal(html.gate, gate);
        same_forms();
    }
}

static const struct {
    const char *input;
    size_t length;
    enum html_gate gate;
} gates[] = {
    {T("<p>x<script>y"), HTML_GATE_SCRIPT},
    {T("<SCRIPT src=x></SCRIPT>"), HTML_GATE_SCRIPT},
    {T("<script language=JScript.Encode>x"), HTML_GATE_SCRIPT},
    {T("<sc\rript>x"), HTML_GATE_SCRIPT},
    {T("<%@ language=JScript.Encode%>x"), HTML_GATE_ENCODED_SCRIPT},
    {T("<img src=data:image/png,x>"), HTML_GATE_DATA_URL},
    {T("<img src=\"data:image/png,x\">"), HTML_GATE_DATA_URL},
    {T("<a title='&#100;ata:x'>"), HTML_GATE_DATA_URL},
    {T("<style>p{a:url(data:image/png;base64,AAAA)}</style>"), HTML_GATE_DATA_URL},
    {T("<style>da</style>x<style>ta:x</style>"), HTML_GATE_DATA_URL},
    {T("<style>x data:"), HTML_GATE_DATA_URL},
    {T("<p>a\0b"), HTML_GATE_NUL},
    /* What looks like it, and is not. */
    {T("<!-- <script> x"), HTML_GATE_NONE},
    {T("<!-- > <script> x"), HTML_GATE_SCRIPT}, /* a comment ends at the first '>' */
    {T("<style><script>x</style>"), HTML_GATE_NONE},
    {T("<script>"), HTML_GATE_NONE}, /* nothing follows: libclamav does not look either */
    {T("<scripts>x"), HTML_GATE_NONE},
    {T("</script>x"), HTML_GATE_NONE},
    {T("<img src=DATA:x>"), HTML_GATE_NONE},
    {T("<img src=\"a data:x\">"), HTML_GATE_NONE},
    {T("data:x <p title=xdata:x>"), HTML_GATE_NONE},
};

static void test_gates(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(gates) / sizeof(gates[0]); i++) {
        enum html_gate gate = run(&first, gates[i].input, gates[i].length);

        if (gate != gates[i].gate)
            fail_msg("%s: %s", gates[i].input, html_gate_text(gate));
    }
}

/* The byte after a chunk, being white space and the first of a page. */
static void test_map_page(void **state)
{
    static uint8_t bytes[20000];

    (void)state;
    memset(bytes, 'x', sizeof(bytes));
    bytes[4096] = ' '; /* the first chunk ends here: the next would end at 3 x 4096 */
    assert_int_equal(run(&first, bytes, sizeof(bytes)), HTML_GATE_NONE);
    bytes[4096 + 1 + 8191] = '\n';
    assert_int_equal(run(&first, bytes, sizeof(bytes)), HTML_GATE_MAP_PAGE);
    bytes[4096 + 1 + 8191] = 'x';
    bytes[4096 + 8191] = '\n';
    assert_int_equal(run(&first, bytes, sizeof(bytes)), HTML_GATE_NONE);
}

static void test_nothing_after_gate(void **state)
{
    static const char script[] = "<script>";
    static uint8_t bytes[30000];

    (void)state;
    memset(bytes, 'x', sizeof(bytes));
    memcpy(bytes, script, sizeof(script) - 1);
    begin(&first);
    html_feed(&html, bytes, sizeof(bytes));
    assert_int_equal(html.gate, HTML_GATE_SCRIPT);
    assert_int_equal(first.nocomment.length, 8);
    html_feed(&html, bytes, sizeof(bytes));
    html_end(&html);
    assert_int_equal(html.gate, HTML_GATE_SCRIPT);
    assert_int_equal(first.nocomment.length, 8);
}

static void test_texts(void **state)
{
    (void)state;
    for (unsigned gate = 0; gate < HTML_GATE_COUNT; gate++)
        assert_non_null(html_gate_text((enum html_gate)gate));
    assert_string_equal(html_gate_text(HTML_GATE_COUNT), "unknown");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_samples),   cmocka_unit_test(test_sample_cuts),
        cmocka_unit_test(test_long_cuts), cmocka_unit_test(test_gates),
        cmocka_unit_test(test_map_page),  cmocka_unit_test(test_nothing_after_gate),
        cmocka_unit_test(test_texts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
