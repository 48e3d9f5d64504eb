'use strict';

// Prints a line for each group of cases.

const SHOWN = 3;
const LINE_LENGTH = 2000;

function show(indent, text) {
  console.log(`#${indent}${text.length > LINE_LENGTH ? `${text.slice(0, LINE_LENGTH)}...` : text}`);
}

class Report {
  constructor() {
    this.failed = 0;
  }

  note(text) {
    console.log(`# ${text}`);
  }

  // A part that cannot be compared here, and why.
  skip(why) {
    console.log(`skipped: parity: ${why}`);
  }

  // failures: an object {what, differences} for each case that failed.
  // explanation: a note for the reader, if any.
  group(what, count, failures, explanation) {
    const passed = failures.length === 0 && count > 0;

    if (!passed) {
      this.failed += 1;
    }
    console.log(`${passed ? 'ok' : 'not ok'} - parity: ${what} (${count} ${count === 1 ? 'case' : 'cases'}${passed ? '' : `, ${failures.length} not as expected`})`);
    if (explanation) {
      show('   ', explanation);
    }
    for (const failure of failures.slice(0, SHOWN)) {
      show('   ', JSON.stringify(failure.what));
      for (const difference of failure.differences) {
        show('     ', difference);
      }
    }
  }
}

module.exports = {Report};
