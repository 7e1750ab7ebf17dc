/* A worker for pages that are opened from the file system, where browsers refuse real ones: the search runs in a frame. */
if (location.protocol === "file:") {
  window.Worker = class extends EventTarget {
    constructor(url) {
      super();
      this.onmessage = null;
      this.waiting = [];
      this.frame = document.createElement("iframe");
      this.frame.hidden = true;
      document.body.append(this.frame);
      const inside = this.frame.contentWindow;
      // What the worker's script calls, given to it under the names that it knows.
      inside.postMessage = (data) => this.later(structuredClone(data), (event) => {
        this.dispatchEvent(event);
        if (this.onmessage) this.onmessage(event);
      });
      inside.importScripts = (...addresses) => addresses.reduce(
        (before, address) => before.then(() => this.load(inside, new URL(address, url).href)), Promise.resolve());
      this.load(inside, new URL(url, location.href).href).then(() => {
        this.ready = true;
        for (const data of this.waiting) this.hand(data);
      });
    }
    load(inside, address) {
      return new Promise((done, failed) => {
        const script = inside.document.createElement("script");
        script.src = address;
        script.onload = done;
        script.onerror = failed;
        inside.document.head.append(script);
      });
    }
    later(data, then) {
      setTimeout(() => then(new MessageEvent("message", { data })));
    }
    hand(data) {
      this.later(data, (event) => this.frame.contentWindow.dispatchEvent(event));
    }
    postMessage(message) {
      const data = structuredClone(message);  // as between real threads: what is changed later is not changed there
      if (this.ready) this.hand(data);
      else this.waiting.push(data);
    }
    terminate() {
      this.frame.remove();
    }
  };
}
