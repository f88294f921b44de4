// What the desk asks of its server. In: numbers of pictures, labels. Out: pictures and how far it is, or Trouble. Next: words.js

const KEPT = 8; // pictures that are here already: those looked at last, and those that come next

/** What went wrong: the HTTP `status`, 0 where nobody answered, and what was said. */
export class Trouble extends Error {
  constructor(status, body, picture = "") {
    super(body.error ?? String(status));
    Object.assign(this, { status, body: { error: `HTTP ${status}`, ...body }, picture });
  }
}

/** JSON from a path: asked for, or where there is a body sent. Raises: Trouble. */
export async function ask(path, body = null) {
  const answer = await send(path, body === null ? {} : { method: "POST", body: JSON.stringify(body), headers: { "Content-Type": "application/json" } });
  return answer.json();
}

async function send(path, options = {}) {
  let answer;
  try {
    answer = await fetch(path, options);
  } catch {
    throw new Trouble(0, {});
  }
  if (answer.ok) return answer;
  throw new Trouble(answer.status, await answer.json().catch(() => ({})));
}

const opened = new Map(); // number -> promise of {about, address}, the one looked at last at the end

/** What is known of a picture, and the address of its pixels. Raises: Trouble, 422 where it cannot be shown. */
export function open(number) {
  const there = opened.get(number) ?? fetchPicture(number);
  opened.delete(number);
  opened.set(number, there);
  there.catch(() => opened.get(number) === there && opened.delete(number));
  for (const old of [...opened.keys()].slice(0, -KEPT)) release(old);
  return there;
}

/** What is known of a picture has changed, null: of any; their pixels are in the browser's own store. */
export function forget(number) {
  for (const one of number === null ? [...opened.keys()] : [number]) release(one);
}

async function fetchPicture(number) {
  const about = await ask(`desk/pictures/${number}`);
  try {
    const answer = await send(`desk/pictures/${number}/shown`);
    return { about, address: URL.createObjectURL(await answer.blob()) };
  } catch (error) {
    if (error instanceof Trouble) error.picture = about.name;
    throw error;
  }
}

function release(number) {
  opened.get(number)?.then((one) => URL.revokeObjectURL(one.address), () => null);
  opened.delete(number);
}
