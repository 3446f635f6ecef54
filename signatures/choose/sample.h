/* sample.h: what mail is full of: written for this purpose, to be counted by the model. */
#ifndef SIGNATURES_CHOOSE_SAMPLE_H
#define SIGNATURES_CHOOSE_SAMPLE_H

#define SAMPLE_TEXT_MAX 8192u

/* Ends with null. */
extern const char *const sample_texts[];

#endif
