// The commands on the API's page: they name this server, and a button copies them.

const WRITTEN_FOR = "https://0.0.0.0:8888";
const TRUST = '--cacert "${CURL_CA_BUNDLE:-cert.pem}" ';
const MOMENT = 2000;

const NARROW = matchMedia("(max-width: 939px)");

const said = document.querySelector("#said");

async function copy(button, code) {
  await navigator.clipboard.writeText(code.textContent);
  button.textContent = "Copied";
  said.textContent = "Copied";
  setTimeout(() => {
    button.textContent = "Copy";
    said.textContent = "";
  }, MOMENT);
}

for (const command of document.querySelectorAll(".command")) {
  const [code, button] = [command.querySelector("code"), command.querySelector("button")];
  code.textContent = code.textContent.replaceAll(WRITTEN_FOR, location.origin);
  if (location.protocol === "http:") code.textContent = code.textContent.replaceAll(TRUST, "");
  if (navigator.clipboard) {
    button.hidden = false;
    button.addEventListener("click", () => copy(button, code));
  }
}

// Beside the text the contents are always open; above it, on demand.
const contents = document.querySelector(".contents details");

function fold() {
  contents.open = !NARROW.matches;
}

fold();
NARROW.addEventListener("change", fold);
contents.addEventListener("click", (event) => {
  if (NARROW.matches && event.target.closest("a")) contents.open = false;
});
