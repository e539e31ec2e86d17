// The form: what is typed becomes a flight, and what the model says of it is shown. Nothing is sent anywhere.
import {load} from './on-device.js';

const form = document.querySelector('form');
const result = document.querySelector('#result');

/** The form as raw columns; an empty field is not known. */
function flight() {
  const columns = {};
  for (const [name, text] of new FormData(form)) {
    const field = form.elements[name];
    if (text === '') continue;
    if (field.type === 'time') columns[name] = Number(text.replace(':', ''));
    else columns[name] = field.dataset.words === undefined ? Number(text) : text;
  }
  return columns;
}

/** Fills a list with the words that the model knows, and one for all others; a number gets the limits of the contract. */
function prepare({column, words, least, most, required}) {
  const field = form.elements[column];
  if (words) {
    const chosen = field.dataset.words;
    for (const word of [...words].sort()) field.add(new Option(word, word, word === chosen, word === chosen));
    field.add(new Option('another one', 'another one'));
  } else if (field.type === 'number') {
    if (least !== undefined) field.min = least;
    if (most !== undefined) field.max = most;
  }
  field.required = required;
}

async function show(model) {
  if (!form.reportValidity()) return;
  const probability = await model.predict(flight());
  result.dataset.probability = probability;
  result.querySelector('strong').textContent = `${Math.round(100 * probability)} %`;
  result.querySelector('meter').value = probability;
}

try {
  const model = await load('model', 'litert/wasm');
  model.description.inputs.forEach(prepare);
  const {model: name, version, compared} = model.description;
  document.querySelector('#version').textContent = `Model ${name}, version ${version}.` + (compared ?
      ` On ${compared.flights.toLocaleString('en')} flights (${compared.file}) it says what its source says, to ${compared.largest_difference.toExponential(0)}.` : '');
  form.addEventListener('submit', (event) => { event.preventDefault(); show(model); });
  form.querySelector('button').disabled = false;
  await show(model);
  window.model = model;  // for the console, and for the test
  document.body.dataset.state = 'ready';
} catch (error) {
  document.querySelector('#version').textContent = `The model could not be loaded: ${error.message}`;
  document.body.dataset.state = 'failed';
  throw error;
}
