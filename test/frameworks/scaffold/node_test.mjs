// The code of the page about node-postgres, for several owners at once.

import assert from 'node:assert/strict';
import pg from 'pg';

import {beginConnect, finishConnect, virtualKeys} from './garage.mjs';

const pool = new pg.Pool({max: 5});

async function connectOwner(owner) {
  const link = await beginConnect(pool, owner);
  const consent = await fetch(link, {
    method: 'POST', body: new URLSearchParams({owner, tesla_permission: 'all'}), redirect: 'manual',
  });
  const result = await finishConnect(pool, consent.headers.get('location'), owner);
  assert.equal(result.status, 'finished');
  assert.equal(result.external_id, owner);
  assert.ok(Number.isInteger(result.requests) && result.requests > 0);
  return result;
}

try {
  const results = await Promise.all(['ada', 'ben', 'northwind', 'carla'].map(connectOwner));
  const [ada] = results;
  const keys = await virtualKeys(pool, [...ada.vehicle_ids, 'no such vehicle'], [ada.user_id, ada.user_id]);
  assert.deepEqual(keys.map((key) => [key.is_paired, key.error === null]), [[false, true], [null, false]]);
  assert.ok(keys[1].error.type, JSON.stringify(keys[1].error));

  await assert.rejects(
    pool.query('CALL smartcar_finish_connect(callback => $1)', ['?state=forged&user_id=x']),
    (error) => /^[0-9A-Z]{5}$/.test(error.code));
} finally {
  await pool.end();
}
