/* Many clients in step. See bench.h. */
#include <string.h>

#include "tests/performance/bench.h"

#define WAVE_END(wave) ((wave)->first + (wave)->count)

void wave_syn(const struct wave *wave)
{
    for (uint32_t i = wave->first; i < WAVE_END(wave); i++)
        client_syn(wave->bench, i);
    bench_turn(wave->bench);
}

void wave_ack(const struct wave *wave)
{
    for (uint32_t i = wave->first; i < WAVE_END(wave); i++)
        client_send(wave->bench, i, TCP_FLAG_ACK, NULL, 0);
    bench_turn(wave->bench);
}

void wave_connect(const struct wave *wave)
{
    wave_syn(wave);
    wave_ack(wave);
    if (wave->bench->application != BENCH_SMTP)
        return;
    for (uint32_t i = wave->first; i < WAVE_END(wave); i++)
        CHECK(wave->bench->peers[i].code == 220);
    wave_ack(wave);
}

void wave_say(const struct wave *wave, const char *text, uint16_t code)
{
    uint32_t length = (uint32_t)strlen(text);

    for (uint32_t i = wave->first; i < WAVE_END(wave); i++)
        client_send(wave->bench, i, TCP_FLAG_ACK | TCP_FLAG_PSH, text, length);
    bench_turn(wave->bench);
    for (uint32_t i = wave->first; code != 0 && i < WAVE_END(wave); i++)
        CHECK(wave->bench->peers[i].code == code);
}

void wave_envelope(const struct wave *wave)
{
    wave_say(wave, "EHLO client.example.net\r\n", 250);
    wave_say(wave,
             "MAIL FROM:<alice@example.net> SIZE=4400\r\nRCPT TO:<bob@example.org>\r\nDATA\r\n",
             354);
    wave_say(wave, "From: <alice@example.net>\r\nTo: <bob@example.org>\r\nSubject: load\r\n\r\n",
             0);
}

void wave_data(const struct wave *wave, uint32_t segments, uint32_t run)
{
    for (uint32_t done = 0; done < segments; done += run) {
        uint32_t now = segments - done < run ? segments - done : run;

        for (uint32_t i = wave->first; i < WAVE_END(wave); i++) {
            for (uint32_t j = 0; j < now; j++)
                client_send(wave->bench, i, TCP_FLAG_ACK, NULL, BENCH_SEGMENT_BYTES);
        }
    }
    bench_turn(wave->bench);
}

/* The server's FIN has come; its acknowledgement ends this side. */
static void wave_finished(const struct wave *wave)
{
    for (uint32_t i = wave->first; i < WAVE_END(wave); i++)
        CHECK(wave->bench->peers[i].finished);
}

void wave_quit(const struct wave *wave)
{
    wave_say(wave, "QUIT\r\n", 221);
    wave_finished(wave);
    for (uint32_t i = wave->first; i < WAVE_END(wave); i++)
        client_send(wave->bench, i, TCP_FLAG_ACK | TCP_FLAG_FIN, NULL, 0);
    bench_turn(wave->bench);
}

void wave_close(const struct wave *wave)
{
    for (uint32_t i = wave->first; i < WAVE_END(wave); i++)
        client_send(wave->bench, i, TCP_FLAG_ACK | TCP_FLAG_FIN, NULL, 0);
    bench_turn(wave->bench);
    wave_finished(wave);
    wave_ack(wave);
}
