// Loads the program: once, or as often as a case wants it.

globalThis.load = async (number) => {
  const module = await import(`./program.js?${number}`);
  await module.default();
  return module;
};

globalThis.program = await load(0);
document.getElementById("state").textContent = "ready";
