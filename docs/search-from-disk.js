/* Search in pages that are opened from disk. Browsers allow them no workers, so the worker's script runs in a frame.
   Messages are copied and delivered later, as those of a worker are. */
if (location.protocol === "file:") {
  const deliver = (receiver, data) => {
    const copy = structuredClone(data);
    setTimeout(() => receiver.onmessage?.({ data: copy }));
  };

  window.Worker = class {
    constructor(url) {
      this.frame = document.createElement("iframe");
      this.frame.hidden = true;
      this.frame.srcdoc = `<script src="${url}"></script>`;
      this.loaded = new Promise(resolve => {
        this.frame.onload = () => {
          this.frame.contentWindow.postMessage = data => deliver(this, data);
          resolve(this.frame.contentWindow);
        };
      });
      document.body.append(this.frame);
    }

    postMessage(data) {
      this.loaded.then(frame => deliver(frame, data));
    }

    terminate() {
      this.frame.remove();
    }
  };
}
