'use strict';

// The certificates of the sandbox, made at each start by the command openssl: a
// certificate authority, and certificates signed by it or by another one.
//
// They are made in a directory that only this user can enter.  The keys are read and
// deleted; then the directory is opened, because the PostgreSQL server that reads the
// authority's certificate may run as another user.

const fs = require('fs');
const os = require('os');
const path = require('path');
const {execFileSync} = require('child_process');

const PREFIX = 'smartcar_sandbox.';

const configuration = `
[req]
distinguished_name = name
prompt = no
[name]
CN = localhost
[ca]
default_ca = authority
[authority]
new_certs_dir = .
database = index.txt
serial = serial
default_md = sha256
policy = policy
unique_subject = no
[policy]
commonName = supplied
[authority_extensions]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign, cRLSign
subjectKeyIdentifier = hash
[right]
subjectAltName = DNS:localhost, IP:127.0.0.1, DNS:late.test, DNS:moving.test
extendedKeyUsage = serverAuth
[wrong]
subjectAltName = DNS:wrong.example
extendedKeyUsage = serverAuth
`;

// The format of openssl: 20260131120000Z.
function moment(days) {
  return `${new Date(Date.now() + days * 86400000).toISOString().replace(/[-:T]/g, '').slice(0, 14)}Z`;
}

// Removes the directories of sandboxes that were killed.
function sweep() {
  for (const name of fs.readdirSync(os.tmpdir()).filter((entry) => entry.startsWith(PREFIX))) {
    const directory = path.join(os.tmpdir(), name);
    const pid = Number(name.split('.')[1]);

    try {
      if (fs.lstatSync(directory).uid !== process.getuid()) {
        continue;
      }
      process.kill(pid, 0);
    } catch (error) {
      if (error.code === 'ESRCH') {
        fs.rmSync(directory, {recursive: true, force: true});
      }
    }
  }
}

function makeCertificates() {
  sweep();

  const directory = fs.mkdtempSync(path.join(os.tmpdir(), `${PREFIX}${process.pid}.`));
  const remove = () => fs.rmSync(directory, {recursive: true, force: true});

  process.on('exit', remove);

  const openssl = (...args) => execFileSync('openssl', args, {cwd: directory, stdio: ['ignore', 'ignore', 'pipe']});
  const file = (name) => path.join(directory, name);
  const key = (name) => ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-keyout', `${name}.key`];
  const authority = (name) => openssl('req', '-x509', ...key(name), '-config', 'openssl.cnf', '-subj', `/CN=sandbox ${name}`,
    '-days', '2', '-extensions', 'authority_extensions', '-out', `${name}.pem`);
  const certificate = (name, signer, extensions, from, to) => {
    openssl('req', '-new', ...key(name), '-config', 'openssl.cnf', '-subj', `/CN=${name}`, '-out', `${name}.csr`);
    openssl('ca', '-batch', '-notext', '-config', 'openssl.cnf', '-cert', `${signer}.pem`, '-keyfile', `${signer}.key`,
      '-extensions', extensions, '-startdate', moment(from), '-enddate', moment(to), '-in', `${name}.csr`, '-out', `${name}.pem`);
    return {key: fs.readFileSync(file(`${name}.key`)), cert: fs.readFileSync(file(`${name}.pem`))};
  };

  fs.writeFileSync(file('openssl.cnf'), configuration);
  fs.writeFileSync(file('index.txt'), '');
  fs.writeFileSync(file('serial'), '01\n');
  authority('ca');
  authority('stranger');

  const certificates = {
    right: certificate('localhost', 'ca', 'right', -1, 2),
    wrongHost: certificate('wrong.example', 'ca', 'wrong', -1, 2),
    expired: certificate('expired', 'ca', 'right', -3, -1),
    untrusted: certificate('untrusted', 'stranger', 'right', -1, 2),
    caFile: file('ca.pem'),
  };

  for (const name of fs.readdirSync(directory).filter((entry) => entry !== 'ca.pem')) {
    fs.rmSync(file(name));
  }
  fs.chmodSync(file('ca.pem'), 0o644);
  fs.chmodSync(directory, 0o755);
  return certificates;
}

module.exports = {makeCertificates};
