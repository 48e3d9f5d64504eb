'use strict';

// Repeats a call and prints how long it took, as rows of bench_sample.

const fs = require('fs');

// So that the code is compiled before it is measured.
const WARM_UP = 100000;

const repeats = Number(process.env.REPEATS);

function readLines(name) {
  return fs.readFileSync(`${process.env.DIRECTORY}/${name}`, 'utf8').split('\n').filter((line) => line.length > 0);
}

function run(calls, inputs, call) {
  let sum = 0;

  for (let i = 0; i < calls; i++) {
    sum += call(inputs[i % inputs.length]);
  }
  return sum;
}

// `call` returns a number, so that nothing can be left undone; all are added up.
function measure(caseName, kind, calls, inputs, call) {
  let sum = run(WARM_UP, inputs, call);

  for (let repeat = 0; repeat < repeats; repeat++) {
    const processorBefore = process.cpuUsage();
    const before = process.hrtime.bigint();

    sum += run(calls, inputs, call);

    const seconds = Number(process.hrtime.bigint() - before) / 1e9;
    const processor = process.cpuUsage(processorBefore);

    console.log([caseName, kind, calls, seconds, (processor.user + processor.system) / 1e6].join('\t'));
  }
  if (!(sum > 0)) {
    throw new Error(`wrong result: ${caseName}`);
  }
}

module.exports = {readLines, measure};
