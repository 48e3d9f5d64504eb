'use strict';

// The comparison must be able to fail.
//
// A comparison that finds no difference proves nothing until it has found some.  Here links
// are changed in every way in which an implementation could be wrong, and each change must
// be noticed; links that only look different must not be.

const {linkDifferences, byteDifferences, valueDifferences} = require('./compare');

const link = 'https://connect.smartcar.com/oauth/authorize?response_type=code&client_id=cid&approval_prompt=auto' +
  '&scope=read_vin%20read_charge&state=a%2Bb%20c%26d%3D%C3%A9!&make=TESLA&mode=live';

const spoilt = {
  'another scheme': (text) => text.replace('https:', 'http:'),
  'another host': (text) => text.replace('connect.', 'connect2.'),
  'another port': (text) => text.replace('.com/', '.com:8443/'),
  'credentials': (text) => text.replace('https://', 'https://user@'),
  'another path': (text) => text.replace('authorize', 'reauthenticate'),
  'a slash more': (text) => text.replace('authorize?', 'authorize/?'),
  'a parameter lost': (text) => text.replace('&make=TESLA', ''),
  'a parameter more': (text) => `${text}&user=7`,
  'a parameter twice': (text) => `${text}&mode=live`,
  'a parameter emptied': (text) => text.replace('make=TESLA', 'make='),
  'a name changed': (text) => text.replace('client_id', 'application_id'),
  'a name in capitals': (text) => text.replace('make=', 'MAKE='),
  'a value changed': (text) => text.replace('approval_prompt=auto', 'approval_prompt=force'),
  'the case of a value': (text) => text.replace('TESLA', 'tesla'),
  'the order of the scopes': (text) => text.replace('read_vin%20read_charge', 'read_charge%20read_vin'),
  'a comma between the scopes': (text) => text.replace('vin%20', 'vin,'),
  'a plus that is not encoded': (text) => text.replace('%2B', '+'),
  'an ampersand that is not encoded': (text) => text.replace('%26', '&'),
  'an equals sign encoded twice': (text) => text.replace('%3D', '%253D'),
  'a character in Latin-1': (text) => text.replace('%C3%A9', '%E9'),
  'a character decomposed': (text) => text.replace('%C3%A9', 'e%CC%81'),
  'a fragment': (text) => `${text}#top`,
};

const sameParameters = {
  'small hexadecimal digits': (text) => text.replace('%2B', '%2b'),
  'a space as a plus': (text) => text.replace('b%20c', 'b+c'),
  'a letter encoded without need': (text) => text.replace('TESLA', '%54ESLA'),
};

const anotherOrder = (text) => text.replace('&make=TESLA&mode=live', '&mode=live&make=TESLA');
const strictly = link.replace('!', '%21');

function selfCheck(report) {
  const failures = [];
  let count = 0;
  const expect = (what, different, differences) => {
    count += 1;
    if ((differences.length > 0) !== different) {
      failures.push({what, differences: [different ? 'was not noticed' : differences.join('; ')]});
    }
  };

  for (const [what, spoil] of Object.entries(spoilt)) {
    expect(what, true, linkDifferences(link, spoil(link)));
    expect(`${what}, in any order`, true, linkDifferences(link, spoil(link), {ordered: false}));
    expect(`${what}, bytes`, true, byteDifferences(link, spoil(strictly)));
  }
  for (const [what, change] of Object.entries(sameParameters)) {
    expect(what, false, linkDifferences(link, change(link)));
    expect(`${what}, bytes`, true, byteDifferences(link, change(strictly)));
  }
  expect('nothing', false, linkDifferences(link, link));
  expect('nothing, bytes', false, byteDifferences(link, strictly));
  expect('the order', true, linkDifferences(link, anotherOrder(link)));
  expect('the order, where it is free', false, linkDifferences(link, anotherOrder(link), {ordered: false}));
  expect('true for false', true, valueDifferences(true, false));
  expect('null for false', true, valueDifferences(false, null));
  expect('the case of a digest', true, valueDifferences('ab', 'AB'));
  report.group('the comparison itself notices what it should', count, failures);
}

module.exports = {selfCheck};
