// What the quiz room keeps on this device: operations until they are acknowledged, and a copy of the attempt for a reload
// without a line (IndexedDB). Everything is under the reader's id and goes once all is confirmed. Not for tokens.

const NAME = "lms_room";
const OPERATIONS = "operations";
const COPIES = "copies";
const LAST_READER = "lms_room_reader";

function done(request) {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}

function opened() {
  const request = indexedDB.open(NAME, 1);
  request.onupgradeneeded = () => {
    request.result.createObjectStore(OPERATIONS, { keyPath: "op_id" }).createIndex("attempt_id", "attempt_id");
    request.result.createObjectStore(COPIES, { keyPath: "attempt_id" });
  };
  return done(request);
}

/** The store of one attempt. When the browser keeps nothing, `isBlocked` is true and every call does nothing. */
export class RoomStore {
  constructor(database, attemptId, readerId) {
    Object.assign(this, { database, attemptId, readerId, isBlocked: database === null });
  }

  /** Open it; never rejects. */
  static async open(attemptId, readerId) {
    try {
      const store = new RoomStore(await opened(), attemptId, readerId);
      localStorage.setItem(LAST_READER, readerId);
      await store.#dropStrangers();
      return store;
    } catch {
      return new RoomStore(null, attemptId, readerId);
    }
  }

  /** The store of whoever used the room last, for a page that came without a line and knows no reader. */
  static async openLast(attemptId) {
    try {
      return new RoomStore(await opened(), attemptId, localStorage.getItem(LAST_READER) ?? "");
    } catch {
      return new RoomStore(null, attemptId, "");
    }
  }

  /** Keep an operation, in place of an earlier one that was never sent. */
  async put(operation, replacedId = null) {
    await this.#write(OPERATIONS, (table) => {
      if (replacedId) table.delete(replacedId);
      table.put({ ...operation, attempt_id: this.attemptId, reader_id: this.readerId });
    });
  }

  /** An operation was acknowledged, or will never be. */
  async remove(operationId) {
    await this.#write(OPERATIONS, (table) => table.delete(operationId));
  }

  /** The page goes, and a transaction may not end any more: these are written at once, for the page that comes next. */
  leave(operations) {
    try {
      if (operations.length) localStorage.setItem(this.#leftKey, JSON.stringify(operations));
      else localStorage.removeItem(this.#leftKey);
    } catch {
      // Then the transaction and the last call to the server have to do.
    }
  }

  get #leftKey() {
    return `lms_room_left:${this.readerId}:${this.attemptId}`;
  }

  /** What a page left behind in haste moves to where operations are kept. */
  async #takeLeft() {
    const left = JSON.parse(localStorage.getItem(this.#leftKey) ?? "[]");
    for (const operation of left) await this.put(operation);
    localStorage.removeItem(this.#leftKey);
  }

  /** All operations that wait, oldest first. */
  async operations() {
    if (this.isBlocked) return [];
    await this.#takeLeft().catch(() => {});
    try {
      const index = this.database.transaction(OPERATIONS).objectStore(OPERATIONS).index("attempt_id");
      const rows = await done(index.getAll(this.attemptId));
      return rows.filter((row) => row.reader_id === this.readerId).sort((a, b) => a.made_at - b.made_at);
    } catch {
      return [];
    }
  }

  /** Keep what a reload without a line needs. */
  async keepCopy(copy) {
    await this.#write(COPIES, (table) => table.put({ ...copy, attempt_id: this.attemptId, reader_id: this.readerId }));
  }

  /** The copy, when it is this reader's. */
  async copy() {
    if (this.isBlocked) return null;
    try {
      const row = await done(this.database.transaction(COPIES).objectStore(COPIES).get(this.attemptId));
      return row && row.reader_id === this.readerId ? row : null;
    } catch {
      return null;
    }
  }

  /** All is confirmed and closed: nothing stays here. */
  async clear() {
    for (const operation of await this.operations()) await this.remove(operation.op_id);
    await this.#write(COPIES, (table) => table.delete(this.attemptId));
  }

  /** Copies of others who used this device go; their unsent operations wait for them, and are never shown. */
  async #dropStrangers() {
    const rows = await done(this.database.transaction(COPIES).objectStore(COPIES).getAll());
    for (const row of rows.filter(({ reader_id: id }) => id !== this.readerId)) {
      await this.#write(COPIES, (table) => table.delete(row.attempt_id));
    }
  }

  async #write(name, act) {
    if (this.isBlocked) return;
    try {
      const transaction = this.database.transaction(name, "readwrite");
      act(transaction.objectStore(name));
      transaction.commit?.();
      await new Promise((resolve, reject) => {
        transaction.oncomplete = resolve;
        transaction.onerror = transaction.onabort = () => reject(transaction.error);
      });
    } catch {
      this.isBlocked = true;
      this.onBlocked?.();
    }
  }
}
