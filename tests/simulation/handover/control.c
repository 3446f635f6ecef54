/* Control and the customers' servers behind it, honest and otherwise. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "platform/check.h"
#include "world.h"

static struct delivery *control_place(struct control *control)
{
    for (uint32_t i = 0; i < WORLD_DELIVERIES; i++) {
        if (!control->deliveries[i].used)
            return &control->deliveries[i];
    }
    return NULL;
}

/* Half of the time the end of data is out already: then the answer comes when it comes. */
static void control_withdraw(struct world *world, uint32_t worker, const struct relay_job *job)
{
    for (uint32_t i = 0; i < WORLD_DELIVERIES; i++) {
        struct delivery *delivery = &world->control.deliveries[i];

        if (!delivery->used || delivery->worker != worker || delivery->job.job != job->job)
            continue;
        if (delivery->job.message != job->message || delivery->job.generation != job->generation)
            world_fail(world, "job %" PRIu64 " is withdrawn for another message", job->job);
        world_trace(world, "job %" PRIu64 " is withdrawn", job->job);
        delivery->withdrawn = random_below(&world->random, 2) == 0;
        if (delivery->withdrawn)
            delivery->until_ns = world->now_ns;
    }
}

static bool control_take(struct world *world, uint32_t worker)
{
    struct control *control = &world->control;
    struct delivery *delivery = control_place(control);
    struct relay_job job;

    if (delivery == NULL || ring_pop(&control->process.channel[worker].jobs, &job) != STATUS_OK)
        return false;
    if (job.kind == JOB_WITHDRAW) {
        control_withdraw(world, worker, &job);
        return true;
    }
    *delivery = (struct delivery){.used = true, .worker = worker, .job = job};
    delivery->mail = mail_read(world, job.message, job.generation, job.length);
    if (delivery->mail == NULL)
        return false;
    delivery->mail->relayed++;
    oracle_relay(world, delivery->mail, &job);
    delivery->until_ns = world->now_ns + random_size(&world->random, 0, world->plan.relay_most_ns);
    if (world_faulty(world) && random_chance(&world->random, world->plan.control_hangs))
        delivery->until_ns = INT64_MAX;
    world_trace(world, "control has job %" PRIu64 " of mail %u", job.job, delivery->mail->number);
    return true;
}

/* What the customer's server says; control's own word when it could not be asked. */
static void control_outcome(struct world *world, const struct delivery *delivery,
                            struct relay_result *answer)
{
    static const struct {
        enum relay_outcome outcome;
        unsigned code;
    } outcomes[] = {{RELAY_ANSWERED, 250}, {RELAY_ANSWERED, 250},    {RELAY_ANSWERED, 451},
                    {RELAY_ANSWERED, 550}, {RELAY_UNREACHABLE, 451}, {RELAY_BROKEN, 451},
                    {RELAY_REFUSED, 451}};
    size_t which = delivery->withdrawn ? 6 : world->plan.calm ? 0 : random_below(&world->random, 7);

    *answer = (struct relay_result){
        .job = delivery->job.job,
        .message = delivery->job.message,
        .generation = delivery->job.generation,
        .kind = delivery->job.kind,
        .outcome = outcomes[which].outcome,
        .code = outcomes[which].code,
    };
    (void)snprintf(answer->text, sizeof(answer->text), "said of %u", delivery->mail->number);
    if (answer->outcome != RELAY_ANSWERED)
        return;
    delivery->mail->accepted = delivery->mail->accepted || answer->code == 250;
    delivery->mail->refused = delivery->mail->refused || answer->code == 550;
}

static bool control_push(struct world *world, uint32_t worker, const struct relay_result *answer)
{
    struct control *control = &world->control;

    return ring_push(&control->process.channel[worker].results, answer) == STATUS_OK;
}

/* Says again what it once said, or what cannot be: a 250 nobody may believe. */
static void control_lie(struct world *world, const struct delivery *delivery)
{
    struct control *control = &world->control;
    struct relay_result answer = {
        .job = delivery->job.job,
        .message = delivery->job.message,
        .generation = delivery->job.generation,
        .kind = delivery->job.kind,
        .outcome = RELAY_ANSWERED,
        .code = 250,
        .text = "a lie",
    };
    uint32_t worker = delivery->worker;

    switch (random_below(&world->random, 5)) {
    case 0:
        answer.generation--;
        break;
    case 1:
        answer.job--;
        break;
    case 2:
        answer.message = worker * WORLD_SLOTS + (answer.message + 1) % WORLD_SLOTS;
        break;
    case 3:
        if (control->old_count == 0)
            return;
        answer = control->old[control->old_count % WORLD_OLD];
        worker = control->old_worker[control->old_count % WORLD_OLD];
        if (answer.job == 0)
            return;
        break;
    default:
        if (!random_chance(&world->random, 2000))
            return;
        /* What it has said and nobody has read yet is lost with it. */
        control->process.scribbled = true;
        for (uint32_t i = 0; i < world->mail_count; i++)
            world->mails[i].relay_written = false;
        atomic_store_explicit(&control->process.channel[worker].results.shared->produced, 7000000,
                              memory_order_release);
        return;
    }
    (void)control_push(world, worker, &answer);
}

static void control_answer(struct world *world, struct delivery *delivery)
{
    struct control *control = &world->control;
    struct relay_result answer;

    if (world_faulty(world) && random_chance(&world->random, world->plan.control_lies))
        control_lie(world, delivery);
    if (control->process.scribbled)
        return; /* another word would mend the ring */
    /* Read to the last byte before the server can have said yes. */
    if (mail_read(world, delivery->job.message, delivery->job.generation, delivery->job.length) !=
        delivery->mail) {
        world_fail(world, "mail %u has changed while control reads it", delivery->mail->number);
        return;
    }
    control_outcome(world, delivery, &answer);
    if (!control_push(world, delivery->worker, &answer))
        return; /* only a ring it has scribbled over is full */
    control->old[control->old_count % WORLD_OLD] = answer;
    control->old_worker[control->old_count++ % WORLD_OLD] = delivery->worker;
    delivery->mail->relay_written = true;
    delivery->used = false;
}

static void control_forget(struct control *control)
{
    for (uint32_t i = 0; i < WORLD_DELIVERIES; i++)
        control->deliveries[i].used = false;
}

/* Its link is over, and what it has under way still goes out: byte for byte what was sent. */
static void control_leaving(struct world *world)
{
    struct control *control = &world->control;

    for (uint32_t i = 0; i < WORLD_DELIVERIES && !world->failed; i++) {
        const struct delivery *delivery = &control->deliveries[i];

        if (delivery->used && mail_read(world, delivery->job.message, delivery->job.generation,
                                        delivery->job.length) != delivery->mail)
            world_fail(world, "mail %u has changed while control sends it", delivery->mail->number);
    }
}

void control_act(struct world *world)
{
    struct control *control = &world->control;

    process_act(world, &control->process);
    if (control->process.state == PEER_LEAVING) {
        control_leaving(world);
        return;
    }
    if (!process_alive(&control->process)) {
        control_forget(control);
        return;
    }
    for (uint32_t worker = 0; worker < WORLD_WORKERS; worker++) {
        while (!world->failed && control_take(world, worker))
            ;
    }
    for (uint32_t i = 0; i < WORLD_DELIVERIES && !world->failed; i++) {
        struct delivery *delivery = &control->deliveries[i];

        if (delivery->used && !control->process.scribbled &&
            (world->now_ns >= delivery->until_ns ||
             (delivery->until_ns == INT64_MAX && !world_faulty(world))))
            control_answer(world, delivery);
    }
    if (world_faulty(world) && random_chance(&world->random, world->plan.control_dies))
        process_die(world, &control->process);
}
