'use strict';

// Seals tokens as the extension does, and opens its sealed tokens: a second implementation
// of the format, for tests that need many accounts at once or must know the stored refresh
// token of an account.
//
//   node seal_tokens.js seal KEY_FILE SERVER FIRST LAST
//       writes lines of user id, access token and refresh token for accounts of
//       the sandbox's fleet, the tokens sealed and in hexadecimal digits
//   node seal_tokens.js open KEY_FILE
//       reads lines of server, user id, kind and sealed token, and writes each
//       token, or nothing where it cannot be opened
//
// Fields are separated by tabs.

const crypto = require('crypto');
const fs = require('fs');

const FORMAT = 1;
const NONCE_SIZE = 12;
const TAG_SIZE = 16;

function readKeys(path) {
	return fs.readFileSync(path, 'utf8').trim().split('\n').map((line) => {
		const [id, digits] = line.split(' ');

		return {id, bytes: Buffer.from(digits, 'hex')};
	});
}

// The kind and the user of a token.
function identityBytes(server, userId, kind) {
	return Buffer.from(`smartcar_tesla ${kind} ${Buffer.byteLength(server)}:${server} ${Buffer.byteLength(userId)}:${userId}`);
}

function seal(key, token, identity) {
	const nonce = crypto.randomBytes(NONCE_SIZE);
	const cipher = crypto.createCipheriv('aes-256-gcm', key.bytes, nonce);

	cipher.setAAD(identity);
	const encrypted = Buffer.concat([cipher.update(token, 'utf8'), cipher.final()]);

	return Buffer.concat([Buffer.from([FORMAT, Buffer.byteLength(key.id)]), Buffer.from(key.id), nonce, encrypted, cipher.getAuthTag()]);
}

function open(keys, sealed, identity) {
	const nonceAt = 2 + sealed[1];
	const key = keys.find(({id}) => id === sealed.toString('utf8', 2, nonceAt));

	if (sealed[0] !== FORMAT || !key) {
		throw new Error('the format or the key is another one');
	}
	const decipher = crypto.createDecipheriv('aes-256-gcm', key.bytes, sealed.subarray(nonceAt, nonceAt + NONCE_SIZE));

	decipher.setAAD(identity);
	decipher.setAuthTag(sealed.subarray(sealed.length - TAG_SIZE));
	return decipher.update(sealed.subarray(nonceAt + NONCE_SIZE, sealed.length - TAG_SIZE), undefined, 'utf8') + decipher.final('utf8');
}

function sealFleet(keys, server, first, last) {
	const lines = [];

	for (let number = first; number <= last; number++) {
		const digits = String(number).padStart(6, '0');
		const userId = `user-${digits}`;
		const sealed = ['access', 'refresh'].map((kind) =>
			seal(keys[0], `${kind}-${digits}`, identityBytes(server, userId, kind)).toString('hex'));

		lines.push([userId, ...sealed].join('\t') + '\n');
	}
	process.stdout.write(lines.join(''));
}

function openAll(keys) {
	const lines = fs.readFileSync(0, 'utf8').split('\n').filter((line) => line !== '');

	process.stdout.write(lines.map((line) => {
		const [server, userId, kind, digits] = line.split('\t');

		try {
			return open(keys, Buffer.from(digits, 'hex'), identityBytes(server, userId, kind)) + '\n';
		} catch (error) {
			return '\n';
		}
	}).join(''));
}

const [action, keyFile, server, first, last] = process.argv.slice(2);

if (action === 'seal') {
	sealFleet(readKeys(keyFile), server, Number(first), Number(last));
} else {
	openAll(readKeys(keyFile));
}
