// What is done before the page's own scripts have run waits for them: a form that only they can send, a button that only they
// understand, what was typed or chosen. Runs in the head, before there is anything to press; each thing is done again once.

(() => {
  const held = [];
  const last = new Map(); // what was typed or chosen: a script that fills its fields first would write over it
  const isOurs = (form) => !form.hasAttribute("method"); // the others go by themselves
  const stateOf = (field) => {
    if (["checkbox", "radio"].includes(field.type)) return { checked: field.checked };
    return ["file", "select-multiple"].includes(field.type) ? {} : { value: field.value };
  };
  const anew = (name) => (field) => {
    last.set(field, stateOf(field));
    return [field, () => Object.assign(field, last.get(field)).dispatchEvent(new Event(name, { bubbles: true }))];
  };
  const again = {
    submit: (form, { submitter }) => isOurs(form) && [form, () => form.requestSubmit(submitter)],
    click: (element) => {
      const button = element.closest("button[type=button]");
      return button && [button, () => button.click()];
    },
    input: anew("input"),
    change: anew("change"),
  };

  function hold(event) {
    const [element, act] = again[event.type](event.target, event) || [];
    if (!element) return;
    event.preventDefault();
    event.stopImmediatePropagation(); // some of the scripts may hear it already, and would hear it twice
    if (!held.some((one) => one.type === event.type && one.element === element)) held.push({ type: event.type, element, act });
  }

  for (const type of Object.keys(again)) addEventListener(type, hold, true);
  document.addEventListener("DOMContentLoaded", () => {
    for (const type of Object.keys(again)) removeEventListener(type, hold, true);
    for (const { act } of held) act();
  });
  // where they could not be had, nothing that was typed goes with the page
  addEventListener("submit", (event) => isOurs(event.target) && event.preventDefault());
})();
