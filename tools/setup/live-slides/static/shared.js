// Lets the controls of course.explore be used by keyboard, in JupyterLab and in live slides.
//
// 1. In JupyterLab 4 a notebook's shortcuts win over a control that has the focus, unless it is a text field: on a list of
//    choices the down arrow goes to the next cell, "z" undoes a change of the notebook and "d d" deletes a cell. In live
//    slides the arrow keys belong to the slides as well.
// 2. The page in which jupyterlab-rise 0.43 shows slides shares no "@jupyterlab/console" with its extensions, and without it
//    the extension of ipywidgets 8 does not load (jupyterlab-contrib/rise, issue 119). It asks that module for no more than
//    a token, for consoles, of which a slide show has none: an empty stand-in is enough.
// 3. The same page asks for two style sheets beside the notebook, rise.css and NN-name.css, whether they are there or not.
//
// This is a prebuilt extension without a build: the loader of JupyterLab's extensions calls init with what is shared.
(window._JUPYTERLAB ??= {})["course-live-slides"] = {
  init(scope) {
    window.addEventListener("keydown", keepKey, true);
    document.head.insertAdjacentHTML = addStyleThatExists;
    if (scope["@jupyterlab/console"]) return;
    const none = { IConsoleTracker: { name: "no consoles in slides" }, CodeConsole: class {}, ConsolePanel: class {} };
    scope["@jupyterlab/console"] = { "4.0.0": { get: async () => () => none, from: "course-live-slides", loaded: 1 } };
  },
  get() {
    throw new Error("course-live-slides has no modules");
  },
};

// Leaves a key that is pressed on a control to the control. Shortcuts with Ctrl, Alt or Cmd and Shift+Enter stay those of
// JupyterLab; so do text fields, which JupyterLab leaves alone by itself.
function keepKey(event) {
  const controls = event.target.closest?.(".jupyter-widgets");
  const notebook = controls?.closest(".jp-Notebook");
  const shortcut = event.ctrlKey || event.altKey || event.metaKey || (event.shiftKey && event.key === "Enter");
  if (!notebook || shortcut || event.target.matches(":read-write")) return;
  notebook.classList.add("jp-mod-readWrite"); // "something is being edited": the notebook's shortcuts pause
  setTimeout(() => notebook.classList.remove("jp-mod-readWrite"));
  controls.addEventListener("keydown", (late) => late.stopPropagation(), { once: true }); // nobody further out sees it
}

// RISE adds its links to style sheets by this method of the page's head. The list of the folder says which of them exist.
async function addStyleThatExists(where, html) {
  const add = () => Element.prototype.insertAdjacentHTML.call(this, where, html);
  const [, server, folder, file] = html.match(/href="([^"]*?)files\/(?:([^"]*)\/)?([^"/]*\.css)" id="rise-/) ?? [];
  if (!file) return add();
  const answer = await fetch(`${server}api/contents/${folder ?? ""}`);
  const { content } = answer.ok ? await answer.json() : { content: [] };
  if (content.some(({ name }) => name === decodeURIComponent(file))) add();
}
