// Lets the controls of course.explore work in live slides; does nothing in JupyterLab itself.
//
// 1. The page in which jupyterlab-rise 0.43 shows slides shares no "@jupyterlab/console" with its extensions, and without it
//    the extension of ipywidgets 8 does not load (jupyterlab-contrib/rise, issue 119). It asks that module for no more than
//    a token, for consoles, of which a slide show has none: an empty stand-in is enough.
// 2. There, the arrow keys belong to the notebook and to the slides even while a slider has the focus.
//
// This is a prebuilt extension without a build: the loader of JupyterLab's extensions calls init with what is shared.
(window._JUPYTERLAB ??= {})["course-live-slides"] = {
  init(scope) {
    if (scope["@jupyterlab/console"]) return;
    const none = { IConsoleTracker: { name: "no consoles in slides" }, CodeConsole: class {}, ConsolePanel: class {} };
    scope["@jupyterlab/console"] = { "4.0.0": { get: async () => () => none, from: "course-live-slides", loaded: 1 } };
    window.addEventListener("keydown", keepKey, true);
  },
  get() {
    throw new Error("course-live-slides has no modules");
  },
};

// Leaves a key that is pressed on a control to the control.
function keepKey(event) {
  const controls = event.target.closest?.(".jupyter-widgets");
  const notebook = controls?.closest(".jp-Notebook");
  if (!notebook) return;
  notebook.classList.add("jp-mod-readWrite"); // "something is being edited": the notebook's shortcuts pause
  setTimeout(() => notebook.classList.remove("jp-mod-readWrite"));
  controls.addEventListener("keydown", (late) => late.stopPropagation(), { once: true }); // the slides do not see it
}
