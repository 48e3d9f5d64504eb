'use strict';

// Texts that break careless encoders.
//
// A state is the application's own text, so it may contain anything that a database can
// store: not the zero character, nor halves of surrogate pairs, which PostgreSQL does not
// allow.

const letters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789';
const reserved = ' !"#$%&\'()*+,-./:;<=>?@[\\]^_`{|}~';
const controls = '\u0001\b\t\n\u000b\f\r\u001b\u001f\u007f\u0080\u009f';
const latin1 = '\u00a0¡§©ª«\u00ad®°±µ¶·¿ÀÆÇÉÑÖ×ØÜßàæçéñö÷øüþÿ';
const beyondLatin1 = 'ĀŁŒſƒ̈ΑΩЖяאبกあ漢字한ﬁ\u200b\u200d\u200e\u202e\u2028\u2029\ufeff\ufffd\ufffe\uffff';
const beyondTheFirstPlane = '\u{10000}𐍈𝄞🚗🔋👩‍🔧🇩🇪\u{e0001}\u{10fffd}\u{10ffff}';

// Pieces that look encoded, or like the rest of a query.
const lookalikes = ['%', '%%', '%2', '%20', '%2520', '%zz', '%00', '+', '&amp;', '&state=', '&mode=test', '?a=b', '#top',
  '\\', '\\n', '\'; --', '$1', '{}', 'null', 'required:', '://'];

function texts(pools) {
  return (random, most) => {
    const count = random.between(1, most);
    let text = '';

    for (let i = 0; i < count; i++) {
      text += random.chance(0.1) ? random.pick(lookalikes) : random.text(random.pick(pools), random.between(1, 4));
    }
    return text;
  };
}

module.exports = {
  letters,
  plainText: (random, most) => random.text(letters, random.between(1, most)),
  hostileText: texts([letters, reserved, controls, latin1, beyondLatin1, beyondTheFirstPlane]),
  hostileLatin1: texts([letters, reserved, controls, latin1]),
};
