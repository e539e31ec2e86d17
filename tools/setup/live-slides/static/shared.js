// Lets the controls of course.explore appear in live slides.
//
// The page that jupyterlab-rise 0.43 shows slides in shares no "@jupyterlab/console" with its extensions, and without it
// the extension of ipywidgets 8 does not load (jupyterlab-contrib/rise, issue 119). It only asks that module for a token,
// for consoles, of which a slide show has none. This prebuilt extension offers an empty stand-in where there is no such
// module, and does nothing in JupyterLab itself, which has it. It goes when the issue is closed.
(window._JUPYTERLAB ??= {})["course-live-slides"] = {
  init(scope) {
    const none = { IConsoleTracker: { name: "no consoles in slides" }, CodeConsole: class {}, ConsolePanel: class {} };
    scope["@jupyterlab/console"] ??= { "4.0.0": { get: async () => () => none, from: "course-live-slides", loaded: 1 } };
  },
  get() {
    throw new Error("course-live-slides has no modules");
  },
};
