mod blocked;
mod causal;
mod lamport;
mod moving;
mod orders;
mod scene;
mod words;
