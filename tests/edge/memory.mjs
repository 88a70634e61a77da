// Notes the memory of the built module, for who measures it. It is loaded before the module is, which makes its instance at
// once. Memory of WebAssembly grows and never shrinks, so its size is what was needed at most.
let memory;

const { Instance } = WebAssembly;
WebAssembly.Instance = class extends Instance {
  constructor(...given) {
    super(...given);
    memory = this.exports.memory;
  }
};

export const bytes = () => memory?.buffer.byteLength ?? 0;
