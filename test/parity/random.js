'use strict';

// Random choices that a seed repeats.
//
// Node's own random numbers have no seed.  The bytes here are SHA-256 over the seed and a
// counter, so that any text can be a seed, and a failure can be repeated on another machine.

const crypto = require('crypto');

class Random {
  constructor(seed) {
    this.seed = String(seed);
    this.counter = 0;
    this.block = Buffer.alloc(0);
    this.offset = 0;
  }

  // A number from 0 to 2^32 - 1.
  next() {
    if (this.offset === this.block.length) {
      this.block = crypto.createHash('sha256').update(`${this.seed}:${this.counter}`).digest();
      this.counter += 1;
      this.offset = 0;
    }
    this.offset += 4;
    return this.block.readUInt32BE(this.offset - 4);
  }

  // A number from 0 to limit - 1.
  below(limit) {
    return this.next() % limit;
  }

  // A number from least to most, both included.
  between(least, most) {
    return least + this.below(most - least + 1);
  }

  chance(probability) {
    return this.next() < probability * 0x100000000;
  }

  pick(list) {
    return list[this.below(list.length)];
  }

  // count different elements of the list, in random order.
  sample(list, count) {
    const rest = list.slice();
    const chosen = [];

    while (chosen.length < count && rest.length > 0) {
      chosen.push(rest.splice(this.below(rest.length), 1)[0]);
    }
    return chosen;
  }

  // A text of count characters out of those of alphabet.
  text(alphabet, count) {
    const characters = Array.from(alphabet);

    return Array.from({length: count}, () => this.pick(characters)).join('');
  }

  uuid() {
    const hex = this.text('0123456789abcdef', 32);

    return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-');
  }
}

module.exports = {Random};
