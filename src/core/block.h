/*-------------------------------------------------------------------------
 *
 * block.h
 *	  Eight bytes at a time.
 *
 * Most bytes of a query are ordinary, so looking at them one by one is most of
 * what reading or writing one costs.  A block is eight bytes as one number, the
 * first of them lowest; a mask has the top bit set of each byte that is meant.
 *
 * src/core/block.h
 *
 *-------------------------------------------------------------------------
 */
#ifndef SMARTCAR_BLOCK_H
#define SMARTCAR_BLOCK_H

#include "core/span.h"

#include <stdint.h>

#define SMARTCAR_BLOCK_SIZE		8

#define SMARTCAR_EVERY_BYTE(c)	(UINT64_C(0x0101010101010101) * (unsigned char) (c))
#define SMARTCAR_TOP_BITS		SMARTCAR_EVERY_BYTE(0x80)

static inline uint64_t
smartcar_block_load(const char *data)
{
	uint64_t	block;

	memcpy(&block, data, sizeof(block));
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
	block = __builtin_bswap64(block);
#endif
	return block;
}

/*
 * A mask whose lowest bit is that of the first byte below c, which is ASCII; 0
 * if there is none.  Bits above the lowest may be of other bytes.
 */
static inline uint64_t
smartcar_block_below(uint64_t block, char c)
{
	return (block - SMARTCAR_EVERY_BYTE(c)) & ~block & SMARTCAR_TOP_BITS;
}

/* The same for the first byte that is c. */
static inline uint64_t
smartcar_block_equal(uint64_t block, char c)
{
	return smartcar_block_below(block ^ SMARTCAR_EVERY_BYTE(c), 1);
}

/* The place of the byte that the lowest bit of a mask stands for. */
static inline int
smartcar_block_first(uint64_t mask)
{
	return __builtin_ctzll(mask) / 8;
}

#endif							/* SMARTCAR_BLOCK_H */
