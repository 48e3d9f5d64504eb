'use strict';

// The pages of v3: page[number] and page[size], the counts in meta, and links to the
// other pages.

const {v3Error} = require('./errors');

function invalid(request, name) {
  return v3Error(request, 'VALIDATION', 'INVALID_INPUT_FORMAT', {detail: `The parameter ${name} cannot be used.`});
}

function linksOf(request, number, last) {
  const to = (page) => {
    const query = new URLSearchParams(request.search);

    query.set('page[number]', page);
    return `${request.origin}${request.path}?${query}`;
  };

  return {
    self: to(number), first: to(1), prev: number > 1 ? to(number - 1) : null, next: number < last ? to(number + 1) : null, last: to(last),
  };
}

// The response to a request for a page of a list.  usual: the default size; write(item):
// an item as it is sent; meta: other members of meta; limit: the maximum size.
function pageOf(request, list, usual, write, meta = {}, limit = 100) {
  const number = request.integer('page[number]', 1, 1, 999999999);
  const asked = request.integer('page[size]', usual, 1, 100);
  const size = Math.min(asked, limit);

  if (number === null || asked === null) {
    return invalid(request, number === null ? 'page[number]' : 'page[size]');
  }
  return {
    status: 200,
    body: {
      data: list.slice((number - 1) * size, number * size).map(write),
      meta: {pageNumber: number, pageSize: size, totalCount: list.length, ...meta},
      links: linksOf(request, number, Math.max(1, Math.ceil(list.length / size))),
    },
  };
}

module.exports = {pageOf, invalid};
